"""What the section on restarts of `docs/differences.md` names as its proof exists."""

import json
import re
from pathlib import Path

from tests.integration.crash_flows import SCENARIOS

ROOT = Path(__file__).parents[2]
TABLE = (ROOT / "docs/differences.md").read_text().partition("## Restart")[2].partition("## ")[0]
PROOFS = [line.rsplit("|", 2)[1] for line in TABLE.splitlines() if line.startswith("| ")][2:]


def test_every_test_exists():
    named = re.findall(r"`(test_\w+\.py)::(\w+)`", TABLE)
    assert len(named) > 10
    sources = {file: (ROOT / "tests/integration" / file).read_text() for file, _ in named}
    assert not [f"{file}::{test}" for file, test in named if f"def {test}(" not in sources[file]]
    assert set(re.findall(r"crash `([\w-]+)`", TABLE)) <= set(SCENARIOS)


def test_every_case_exists():
    cases = json.loads((ROOT / "tests/conformance/cases/restart_crash.json").read_text())
    assert set(re.findall(r"`(rc\d-[\w-]+)`", TABLE)) <= {case["id"] for case in cases["cases"]}


def test_every_difference_has_its_proof():
    without = [proof for proof in PROOFS if not re.search(r"`(test_\w+\.py::\w+|rc\d-[\w-]+|[\w-]+)`", proof)]
    assert without == [" not compared "]  # of Mastra's list of executed steps
