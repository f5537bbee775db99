"""The corpus of Mastra's behaviour, performed on a real server: at least 95 % the same, and better where it says so."""

import asyncio
from pathlib import Path

import pytest

from tests.conformance import compare
from tests.conformance.runner import load, observe, scored

CASES = Path(__file__).parent / "cases"

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def observed():
    """Each case with the records of what happened, by "domain/id"."""
    domains = {name: [case for case in cases if scored(case, None)] for name, cases in load(CASES).items()}
    records = asyncio.run(observe(domains, jobs=8))
    return {
        f"{name}/{case['id']}": (case, seen["records"])
        for name, cases in domains.items()
        for case, seen in zip(cases, records[name], strict=True)
    }


def test_same_as_mastra(observed):
    cases = {name: pair for name, pair in observed.items() if not pair[0].get("quirk")}
    found = {name: compare.compare_case(case, records) for name, (case, records) in cases.items()}
    differences = [f"{name}: {difference}" for name, difference in found.items() if difference]
    assert len(differences) <= 0.05 * len(cases), "\n".join(
        [f"{len(differences)} of {len(cases)} differ", *differences]
    )


def test_better_than_mastra(observed):
    cases = {name: pair for name, pair in observed.items() if pair[0].get("better")}
    found = {name: compare.compare_better(case, records) for name, (case, records) in cases.items()}
    differences = [f"{name}: {difference}" for name, difference in found.items() if difference]
    assert cases
    assert not differences, "\n".join(differences)
