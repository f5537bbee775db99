"""Example programs. `python -m examples.demo` runs the order workflow and kills its worker in the middle."""
