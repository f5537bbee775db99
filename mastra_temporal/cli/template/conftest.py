"""Fixtures that run workflows on a real Temporal server, which starts with the tests."""

pytest_plugins = ["mastra_temporal.testing"]
