"""Recorded histories of every kind of run. A change to workflow code must keep all of them replaying."""
