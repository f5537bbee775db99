"""Read the events of a run."""
