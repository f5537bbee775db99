"""`mastra-temporal init`: the project that it writes runs."""

import asyncio
import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from mastra_temporal.devserver import DevServer
from tests.integration.commands import CLI, ROOT, assert_mistake, run, running

pytestmark = [pytest.mark.any_cache, pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("init") / "shop"
    done = run("-m", CLI, "init", str(folder), folder=folder.parent)
    assert done.returncode == 0, done.stderr
    assert "orders.py" in done.stdout
    return folder


def test_its_tests_pass(project: Path):
    done = run("-m", "pytest", "-q", "-p", "no:cacheprovider", folder=project)
    assert "2 passed" in done.stdout, done.stdout


async def test_the_commands_of_its_readme_work(project: Path, mastra_server: DevServer):
    environment = {"TEMPORAL_ADDRESS": mastra_server.address}
    order = json.dumps({"item": "piano", "total": 9000})
    with running(CLI, "worker", "--app", "orders:mastra", folder=project, **environment):
        start = ("start", "orders", "--app", "orders:mastra", "--run-id", "order-1", "--data", order)
        for command in (start, ("show", "order-1"), ("resume", "order-1", "--data", '{"approved": true}')):
            done = await asyncio.to_thread(run, "-m", CLI, *command, folder=project, **environment)
            assert done.returncode == 0, done.stderr
    assert "piano is ordered" in done.stdout


def test_its_compose_file_is_valid_and_starts_two_workers(project: Path):
    compose = yaml.safe_load((project / "compose.yaml").read_text())
    jsonschema.validate(compose, json.loads((ROOT / "tests/unit/compose-spec.json").read_text()))
    assert compose["services"]["worker"]["deploy"]["replicas"] == 2


def test_files_that_exist_are_kept(project: Path):
    (project / "orders.py").write_text("mine")
    assert_mistake(run("-m", CLI, "init", str(project), folder=project), "orders.py", "choose another folder")
    assert (project / "orders.py").read_text() == "mine"
