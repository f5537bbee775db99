"""A short version of ``make chaos`` for every test run."""

import secrets

import pytest

from tests.chaos.harness import batch


@pytest.mark.timeout(180)
async def test_a_few_random_runs_survive_random_disasters():
    seed = secrets.randbelow(10**6)
    report = await batch(seed, 0, 4)
    assert not report.faults, f"again with: python -m tests.chaos --seed {seed} --runs 4\n{report}"
    assert report.done["runs"] == 4
