"""A short version of ``make chaos`` for every test run, always with the same graphs and disasters."""

import pytest

from tests.chaos.harness import batch

SEED = 5


@pytest.mark.timeout(180)
async def test_a_few_random_runs_survive_random_disasters():
    report = await batch(SEED, 0, 4)
    assert not report.faults, f"again with: python -m tests.chaos --seed {SEED} --runs 4\n{report}"
    assert report.done["runs"] == 4
