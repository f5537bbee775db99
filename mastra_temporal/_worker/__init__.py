"""The worker's side of a run. `workflow` must be deterministic; `activities` is where user code runs."""
