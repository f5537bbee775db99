"""Write the marks ``parity`` of the whole test session to a file: ``python -m tests.parity.collect FILE``."""

import json
import sys
from collections import Counter, defaultdict
from pathlib import Path

import pytest


class Collector:
    """A pytest plugin that keeps which test proves what."""

    def __init__(self) -> None:
        self.proofs: defaultdict[str, list[str]] = defaultdict(list)

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for item in items:
            for feature in [name for mark in item.iter_markers("parity") for name in mark.args]:
                self.proofs[feature].append(item.nodeid)

    def result(self) -> dict[str, list[str]]:
        """The ids of tests by feature; when several parameters of one test prove it, the test without them."""
        return {feature: _shortened(tests) for feature, tests in self.proofs.items()}


def _shortened(tests: list[str]) -> list[str]:
    cases = Counter(test.partition("[")[0] for test in tests)
    return list(dict.fromkeys(test if cases[(name := test.partition("[")[0])] == 1 else name for test in tests))


if __name__ == "__main__":
    collector = Collector()
    exit_status = pytest.main(["--collect-only", "-qq", "tests"], plugins=[collector])
    Path(sys.argv[1]).write_text(json.dumps(collector.result()))
    raise SystemExit(exit_status)
