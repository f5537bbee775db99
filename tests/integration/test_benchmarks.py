"""The benchmarks run and print their figures. What the figures are is not for a test to say."""

import pytest

from tests.integration.commands import ROOT, run

pytestmark = pytest.mark.any_cache


@pytest.mark.timeout(90)
def test_overhead_prints_its_ratios():
    done = run("-m", "benchmarks.overhead", "--pairs", "2", "--runs", "10", folder=ROOT)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    for work in ("five sequential steps", "ten parallel steps"):
        assert sum(line.startswith(f"ratio {work}, latency over hand-written") for line in lines) == 2
        assert sum(line.startswith(f"ratio {work}, throughput over hand-written") for line in lines) == 2
        assert sum(line.startswith(f"events {work}: ") for line in lines) == 1


@pytest.mark.timeout(90)
def test_overhead_prints_what_traces_cost():
    done = run("-m", "benchmarks.overhead", "--tracing", "--pairs", "2", "--runs", "10", folder=ROOT)
    assert done.returncode == 0, done.stderr
    for work in ("five sequential steps", "ten parallel steps"):
        assert f"ratio {work}, latency with traces over without: " in done.stdout
        assert f"ratio {work}, throughput with traces over without: " in done.stdout


@pytest.mark.timeout(240)
def test_recovery_prints_its_medians():
    done = run("-m", "benchmarks.recovery", "--times", "1", folder=ROOT)
    assert done.returncode == 0, done.stderr
    figures = [line.partition(":")[0] for line in done.stdout.splitlines()]
    ways = ["restart(force=True)", "restart()", "no call"]
    assert figures == [f"median {way}, worker {loss}" for loss in ("killed", "frozen", "cut off") for way in ways]


@pytest.mark.timeout(90)
def test_suspended_runs_are_not_mixed_up_and_their_waiters_are_told():
    done = run("-m", "benchmarks.suspended", "--runs", "100", "--cache", "10", "--waiters", "100", folder=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    beginnings = ["100 runs suspended at once", "memory of the worker (cache of 10)", "100 waiters on one run"]
    assert [line.partition(":")[0] for line in done.stdout.splitlines()] == beginnings


@pytest.mark.timeout(90)
def test_bulk_restarts_every_orphaned_run():
    done = run("-m", "benchmarks.bulk", "--runs", "30", folder=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    restarted, repeated = done.stdout.splitlines()
    assert restarted.startswith("30 orphaned runs restarted in one call: report after ")
    assert "(30 restarted, 0 attached, 0 skipped, 0 failed)" in restarted
    assert repeated == "each finished step ran exactly once, each killed one twice"


@pytest.mark.timeout(90)
def test_readers_prints_two_tables():
    done = run("-m", "benchmarks.readers", "--readers", "1", "5", "--chunks", "20", "--turns", "10", folder=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "delay of a chunk (20 chunks, one every 20 ms)"
    assert [line.split()[0] for line in lines[1:]] == ["readers", "1", "5", "a", "readers", "0", "1", "5"]


@pytest.mark.timeout(90)
def test_workloads_prints_a_table_for_each():
    workloads = ["branch of 3", "suspend and resume"]
    done = run("-m", "benchmarks.workloads", "--pairs", "1", "--runs", "4", "--only", *workloads, folder=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert [line for line in lines if line[:20].strip() in workloads] == lines[::6]
    rows = ["latency, ms", "runs/s", "worker CPU, ms", "events", "bytes"]
    assert [line[:20].strip() for line in lines[1:6]] == [line[:20].strip() for line in lines[7:]] == rows
