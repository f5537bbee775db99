"""Recovery of runs that lost their workers, are stuck, or were closed by Temporal."""
