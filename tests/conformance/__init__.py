"""The conformance runner: performs recorded scenarios of Mastra on a real Temporal server."""
