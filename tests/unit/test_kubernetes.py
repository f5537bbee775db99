"""deploy/kubernetes.yaml is well formed, and fits the worker that it starts."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from typer.main import get_command

from mastra_temporal.cli.commands import application
from mastra_temporal.worker import GRACEFUL_SHUTDOWN_TIMEOUT

ROOT = Path(__file__).parents[2]
SCHEMA = json.loads(Path(__file__).with_name("kubernetes-schema.json").read_text())
OBJECTS: list[dict[str, Any]] = list(yaml.safe_load_all((ROOT / "deploy/kubernetes.yaml").read_text()))


def validate(item: dict[str, Any]) -> None:
    jsonschema.validate(item, {**SCHEMA["kinds"][item["kind"]], "$defs": SCHEMA["$defs"]})


@pytest.fixture
def by_kind() -> dict[str, dict[str, Any]]:
    return {item["kind"]: item for item in OBJECTS}


@pytest.fixture
def pod(by_kind: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return by_kind["Deployment"]["spec"]["template"]["spec"]


@pytest.mark.parametrize("item", OBJECTS, ids=lambda item: item["kind"])
def test_it_follows_the_schema_of_kubernetes(item: dict[str, Any]):
    validate(item)


def test_the_schema_refuses_a_misspelled_key(by_kind: dict[str, dict[str, Any]]):
    deployment = json.loads(json.dumps(by_kind["Deployment"]))
    deployment["spec"]["template"]["spec"]["containers"][0]["livenesProbe"] = {}
    with pytest.raises(jsonschema.ValidationError, match="livenesProbe"):
        validate(deployment)


def test_a_worker_has_time_to_finish_its_steps(pod: dict[str, Any]):
    assert pod["terminationGracePeriodSeconds"] > GRACEFUL_SHUTDOWN_TIMEOUT.total_seconds()


def test_its_environment_variables_and_probes_exist(pod: dict[str, Any]):
    (container,) = pod["containers"]
    options = get_command(application).commands["worker"].params  # pyright: ignore[reportAttributeAccessIssue]
    known = {f"MASTRA_WORKER_{option.name.upper()}" for option in options}
    environment = {item["name"]: item.get("value") for item in container["env"]}
    assert {name for name in environment if name.startswith("MASTRA_")} <= known
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert environment["MASTRA_WORKER_HEALTH_ADDRESS"] == f"0.0.0.0:{ports['health']}"
    assert environment["MASTRA_WORKER_METRICS_ADDRESS"] == f"0.0.0.0:{ports['metrics']}"
    assert [container[probe]["httpGet"]["path"] for probe in ("livenessProbe", "readinessProbe")] == [
        "/livez",
        "/readyz",
    ]


def test_autoscaling_and_disruption_are_of_the_same_workers(by_kind: dict[str, dict[str, Any]]):
    labels = by_kind["Deployment"]["spec"]["selector"]["matchLabels"]
    assert by_kind["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"] == labels
    target = by_kind["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]["name"]
    assert target == by_kind["Deployment"]["metadata"]["name"]
