"""Workflow code: a worker executes it for each run, and replays it from the history of the run.

Everything in this package is deterministic: no I/O, no clock except Temporal's, no randomness except Temporal's, no
``asyncio.wait``, no iteration over a set. User code never runs here. It runs in activities (``_worker/activities/``).

The histories under ``tests/replay/`` must still replay after a change here. A change that adds, removes or reorders
commands fails open runs with a non-determinism error unless it is guarded by ``workflow.patched``.
"""
