"""The committed page says what the tests prove."""

import pytest

from tests.parity.page import PAGE, Proofs, collected, mistakes, page
from tests.parity.rows import ROWS


@pytest.fixture(scope="module")
def proofs() -> Proofs:
    return collected()


def test_every_mark_names_a_row(proofs: Proofs):
    assert mistakes(proofs) == []


def test_a_wrong_mark_is_named():
    wrong = {"run.strat({inputData})": ["tests/a.py::b"], "engine": ["tests/a.py::c"]}
    assert mistakes(wrong) == [
        "tests/a.py::b: no row `run.strat({inputData})`. Did you mean `run.start({inputData})`?",
        "tests/a.py::c: row `engine` is not applicable",
    ]


def test_every_row_is_there_once():
    names = [row.mastra for rows in ROWS.values() for row in rows]
    assert len(names) == len(set(names))
    assert not [row for rows in ROWS.values() for row in rows if bool(row.na) == bool(row.here)]


def test_the_committed_page_is_the_generated_one(proofs: Proofs):
    assert PAGE.read_text() == page(proofs), "run `python -m tests.parity` and commit docs/parity.md"
