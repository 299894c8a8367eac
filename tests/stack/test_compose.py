"""docker-compose.yaml as data: its parts fit together and with the project's files, and no secret has a default."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from otterflow.target import load_target

PROJECT = Path(__file__).resolve().parents[2]
TEXT = (PROJECT / "docker-compose.yaml").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
AIRFLOW = ("airflow-init", "api-server", "scheduler", "dag-processor", "triggerer")
SECRETS = ("AIRFLOW_ADMIN_PASSWORD", "POSTGRES_PASSWORD", "AIRFLOW_JWT_SECRET", "AIRFLOW_FERNET_KEY")


def mounts(service: dict[str, Any]) -> dict[str, str]:
    return {mount.split(":")[1]: mount.split(":")[0] for mount in service["volumes"]}


def test_all_components_of_airflow_are_there() -> None:
    assert set(SERVICES) == {"postgres", "target", *AIRFLOW}
    commands = {name: SERVICES[name]["command"] for name in AIRFLOW if name != "airflow-init"}
    assert commands == {name: name for name in commands}


@pytest.mark.parametrize("name", [name for name in AIRFLOW if name != "airflow-init"])
def test_components_share_image_and_settings_and_wait_for_the_first(name: str) -> None:
    service = SERVICES[name]
    assert service["image"] == SERVICES["airflow-init"]["image"]
    own = {"OTTERFLOW_PRELOAD": "1"} if name == "scheduler" else {}  # tasks are forked from the scheduler
    assert own.items() <= service["environment"].items()
    assert service["environment"].items() - own.items() <= SERVICES["airflow-init"]["environment"].items()
    assert service["depends_on"] == {"airflow-init": {"condition": "service_completed_successfully"}}
    assert (
        mounts(service).items()
        >= {
            "/opt/airflow/dags": "./dags",
            "/opt/airflow/plugins": "./plugins",
            "/opt/airflow/include": "./include",
            "/keys": "keys",
        }.items()
    )


def test_every_running_service_has_a_health_check() -> None:
    assert [name for name, service in SERVICES.items() if "healthcheck" not in service] == ["airflow-init"]


def test_mounted_files_and_volumes_exist() -> None:
    used = {source for service in SERVICES.values() for source in mounts(service).values()}
    assert [path for path in used if path.startswith("./") and not (PROJECT / path).exists()] == []
    assert {name for name in used if not name.startswith("./")} == set(COMPOSE["volumes"])


def test_ports_are_published_on_loopback_alone() -> None:
    published = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert published == ["127.0.0.1:8080:8080"]


def test_secrets_have_no_default_and_are_in_the_example() -> None:
    named = set(re.findall(r"(?<!\$)\$\{(\w+)", TEXT))
    example = dict(
        line.split("=", 1) for line in (PROJECT / ".env.example").read_text().splitlines() if line and line[0] != "#"
    )
    assert named == set(example)
    for name in SECRETS:
        assert example[name] == ""
        assert re.findall(rf"\$\{{{name}\b[^}}]*\}}", TEXT) == [f"${{{name}:?set it in .env}}"] * TEXT.count(
            f"{{{name}"
        )


def test_repository_connection_is_json_and_leads_to_the_database_that_is_made() -> None:
    connection = json.loads(SERVICES["scheduler"]["environment"]["AIRFLOW_CONN_OTTERFLOW_REPOSITORY"])
    assert connection["host"] in SERVICES
    made = (PROJECT / "docker" / "create-repository.sql").read_text()
    assert made == f"CREATE DATABASE {connection['schema']};\n"


def test_target_file_agrees_with_the_container() -> None:
    target = load_target(PROJECT / "include" / "targets" / "example_compose.yaml")
    entrypoint = (PROJECT / "docker" / "target-entrypoint.sh").read_text()
    for conn_id in (target.ssh_conn_id, target.sql_conn_id):
        assert f'"{conn_id}": {{' in entrypoint
    home = next(inside for inside, volume in mounts(SERVICES["target"]).items() if volume == "target")
    resolved = entrypoint.replace("$HOME_DIR", home)
    assert f"DATA={target.data_dir} KNOBS={target.knobs_file} LOG={target.log_file}" in resolved
    assert f"BIN={target.bin_dir} " in resolved
    assert SERVICES["target"]["profiles"] == ["target"]
    assert SERVICES["airflow-init"]["depends_on"]["target"] == {"condition": "service_healthy", "required": False}


def test_image_is_of_the_airflow_that_is_locked() -> None:
    dockerfile = (PROJECT / "Dockerfile").read_text()
    locked = re.search(r"^apache-airflow==(\S+)$", (PROJECT / "requirements.txt").read_text(), flags=re.MULTILINE)
    assert locked is not None
    assert f"FROM apache/airflow:slim-{locked[1]}-python3.11 AS airflow" in dockerfile
    assert f"otterflow-airflow:{locked[1]}" in TEXT
    stages = re.findall(r" AS (\w+)$", dockerfile, flags=re.MULTILINE)
    assert {service["build"]["target"] for service in SERVICES.values() if "build" in service} == set(stages)
