"""Activity code: where user code runs. A step, condition, mapping or callback is called here and nowhere else."""
