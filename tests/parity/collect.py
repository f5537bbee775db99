"""Write the marks ``parity`` of the whole test session to a file: ``python -m tests.parity.collect FILE``."""

import json
import sys
from collections import defaultdict
from pathlib import Path

import pytest


class Collector:
    """A pytest plugin that keeps which test proves what."""

    def __init__(self) -> None:
        self.proofs: defaultdict[str, list[str]] = defaultdict(list)

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for item in items:
            test = item.nodeid.partition("[")[0]
            for feature in [name for mark in item.iter_markers("parity") for name in mark.args]:
                if test not in self.proofs[feature]:
                    self.proofs[feature].append(test)


if __name__ == "__main__":
    collector = Collector()
    exit_status = pytest.main(["--collect-only", "-qq", "tests"], plugins=[collector])
    Path(sys.argv[1]).write_text(json.dumps(collector.proofs))
    raise SystemExit(exit_status)
