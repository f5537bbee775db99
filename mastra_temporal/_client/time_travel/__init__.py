"""Time travel: continue a run in a new execution from a step that the caller chooses."""
