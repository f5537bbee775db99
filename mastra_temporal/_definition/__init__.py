"""Definitions: pure descriptions of steps and workflows. Nothing here needs a server or an event loop."""
