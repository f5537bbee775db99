"""Deployable entry points of workers."""
