"""Programs that show how the package is used. `python -m examples.demo` runs the first of them through a crash."""
