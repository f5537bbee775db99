"""docker-compose.yml is well formed, and what it refers to exists and is up to date."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from mastra_temporal.cli.loading import load_app
from mastra_temporal.devserver import DYNAMIC_CONFIG
from mastra_temporal.worker import GRACEFUL_SHUTDOWN_TIMEOUT

ROOT = Path(__file__).parents[2]
SCHEMA = Path(__file__).with_name("compose-spec.json")


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "docker-compose.yml").read_text())


@pytest.fixture(scope="module")
def services(compose: dict[str, Any]) -> dict[str, Any]:
    return compose["services"]


def test_it_follows_the_compose_specification(compose: dict[str, Any]):
    jsonschema.validate(compose, json.loads(SCHEMA.read_text()))


def test_the_schema_refuses_a_misspelled_key(compose: dict[str, Any]):
    worker = {**compose["services"]["worker"], "enviroment": {}}
    with pytest.raises(jsonschema.ValidationError, match="enviroment"):
        jsonschema.validate({"services": {"worker": worker}}, json.loads(SCHEMA.read_text()))


def test_mounted_files_and_volumes_exist(compose: dict[str, Any], services: dict[str, Any]):
    sources = [mount.split(":")[0] for service in services.values() for mount in service.get("volumes", [])]
    assert sources
    for source in sources:
        assert (ROOT / source).is_file() if source.startswith(".") else source in compose["volumes"]


def test_services_depend_on_services_that_exist(services: dict[str, Any]):
    for service in services.values():
        assert set(service.get("depends_on", {})) <= set(services)


def test_waiting_for_health_needs_a_health_check(services: dict[str, Any]):
    for service in services.values():
        for name, dependency in service.get("depends_on", {}).items():
            assert dependency["condition"] != "service_healthy" or "healthcheck" in services[name]


def test_the_worker_is_built_from_files_that_exist(services: dict[str, Any]):
    build = services["worker"]["build"]
    containerfile = ROOT / build["context"] / build["dockerfile"]
    copies = [line.split() for line in containerfile.read_text().splitlines() if line.startswith("COPY ")]
    assert copies
    for _, *sources, _ in copies:
        assert all((ROOT / build["context"] / source).exists() for source in sources)


def test_the_worker_serves_an_app_that_exists(services: dict[str, Any]):
    option, app = services["worker"]["command"]
    assert option == "--app"
    assert load_app(app).list_workflows()


def test_the_worker_has_time_to_finish_its_steps(services: dict[str, Any]):
    seconds = int(services["worker"]["stop_grace_period"].removesuffix("s"))
    assert seconds > GRACEFUL_SHUTDOWN_TIMEOUT.total_seconds()


def test_a_worker_may_stop_while_another_works(services: dict[str, Any]):
    assert services["worker"]["deploy"]["replicas"] == 2


def test_no_password_is_in_the_file(services: dict[str, Any]):
    secrets = [
        str(value)
        for service in services.values()
        for name, value in service.get("environment", {}).items()
        if name.endswith(("PASSWORD", "PWD"))
    ]
    assert len(secrets) == 3
    assert all(value.startswith("${POSTGRES_PASSWORD") for value in secrets)


def test_everything_that_stays_up_has_a_health_check(services: dict[str, Any]):
    for name, service in services.items():
        if service.get("restart", "").startswith("on-failure"):
            continue  # it does its work and exits
        if "build" in service:
            containerfile = ROOT / service["build"]["context"] / service["build"]["dockerfile"]
            assert "HEALTHCHECK" in containerfile.read_text()
        else:
            assert "healthcheck" in service, name


def test_the_server_is_as_fast_as_the_development_server(services: dict[str, Any]):
    (mount,) = services["temporal"]["volumes"]
    source, target, _ = mount.split(":")
    assert services["temporal"]["environment"]["DYNAMIC_CONFIG_FILE_PATH"] == target
    values = {key: rules[0]["value"] for key, rules in yaml.safe_load((ROOT / source).read_text()).items()}
    assert DYNAMIC_CONFIG.items() <= values.items()
