"""Following a run's events."""
