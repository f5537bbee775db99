"""Schedules: runs that Temporal starts at given times."""
