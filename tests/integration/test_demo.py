"""The demo does what it says, by itself."""

import pytest

from tests.integration.commands import ROOT, run

pytestmark = pytest.mark.any_cache


@pytest.mark.timeout(90)
def test_the_demo_shows_a_run_that_survives():
    done = run("-m", "examples.demo", folder=ROOT)
    assert done.returncode == 0, done.stderr
    assert "SIGKILL" in done.stdout
    assert "Kept: 5 finished steps. Run again: 2" in done.stdout
    assert "Result: success" in done.stdout
