"""Benchmarks of the package's overhead and of its recovery times, on a real server."""
