"""Schedules: runs that Temporal starts by itself."""
