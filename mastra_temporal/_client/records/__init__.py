"""Read runs from Temporal: their status, their recorded state, and lists of runs."""
