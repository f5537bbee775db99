"""Workflow code: what a worker runs for each run, and replays from its history.

Everything in this package is deterministic: no I/O, no clock but `workflow.now`, no randomness but Temporal's, no
``asyncio.wait``, no order taken from a set. User code never runs here; it runs in activities (``steps/``).
A change here must keep the histories under ``tests/replay/`` replaying: patch (``workflow.patched``) rather than break.
"""
