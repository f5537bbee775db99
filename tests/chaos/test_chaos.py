"""A short version of ``make chaos`` for every test run, always with the same graphs and disasters."""

import pytest

from tests.chaos.harness import batch

SEED = 7
RUNS = 3


@pytest.mark.timeout(180)
async def test_a_few_random_runs_survive_random_disasters():
    report = await batch(SEED, 0, RUNS, most_disasters=12)
    assert not report.faults, f"again with: python -m tests.chaos --seed {SEED} --runs {RUNS}\n{report}"
    assert report.done["runs"] == RUNS
    assert {
        "kills of workers",
        "rolling restarts",
        "frozen workers",
        "workers cut off",
        "blocked workers",
        "kills of the server",
    } <= set(report.done)
