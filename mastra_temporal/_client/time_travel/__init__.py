"""Time travel: a run goes on, in a new execution, from a step that its caller chooses."""
