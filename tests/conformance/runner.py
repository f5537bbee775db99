"""Performs many cases, a few at a time, and writes what was observed."""

import asyncio
import json
import logging
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.conformance import compare
from tests.conformance.actions import CaseRun
from tests.conformance.server import conformance_server

CASE_TIMEOUT = 120.0
JOBS = 4
"""Few: some cases measure tens of milliseconds, and a loaded machine would miss them."""

Domains = dict[str, list[dict[str, Any]]]


def load(cases: Path, only_domains: Iterable[str] = ()) -> Domains:
    """The cases by domain; a file is named after its domain."""
    wanted = set(only_domains)
    files = [file for file in sorted(cases.glob("*.json")) if not wanted or file.stem in wanted]
    return {file.stem: json.loads(file.read_text())["cases"] for file in files}


def scored(case: dict[str, Any], only_ops: set[str] | None) -> bool:
    """Whether a case counts: cases that forge a row of Mastra's storage never do."""
    if any(action["op"] == "persist" for action in case["actions"]):
        return False
    return only_ops is None or compare.ops_of(case) <= only_ops


async def observe(domains: Domains, jobs: int = JOBS) -> Domains:
    """Performs all cases on one server; gives the records of each, by domain."""
    limit = asyncio.Semaphore(jobs)
    async with conformance_server():
        observed = {
            name: [asyncio.create_task(perform(case, limit)) for case in cases] for name, cases in domains.items()
        }
        return {name: [await task for task in tasks] for name, tasks in observed.items()}


async def perform(case: dict[str, Any], limit: asyncio.Semaphore) -> dict[str, Any]:
    async with limit:
        with tempfile.TemporaryDirectory(prefix="conformance-", ignore_cleanup_errors=True) as folder:
            try:
                records = await asyncio.wait_for(CaseRun(case, Path(folder)).records(), CASE_TIMEOUT)
            except Exception:
                # One broken case must not take the others with it: without records it counts as failed.
                logging.exception("case %s", case["id"])
                records = []
        return {"id": case["id"], "records": records}


def write(observed: Domains, out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    for domain, cases in observed.items():
        (out / f"{domain}.json").write_text(json.dumps({"domain": domain, "cases": cases}, indent=1))
