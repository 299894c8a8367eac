"""docker-compose.yaml as data: its parts fit together and with the project's files, and no secret has a default."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
from base64 import urlsafe_b64decode
from pathlib import Path
from typing import Any

import pytest
import yaml
from airflow.api_fastapi.core_api.datamodels.monitor import HealthInfoResponse

from otterflow.dbms.registry import load_target

PROJECT = Path(__file__).resolve().parents[2]
TEXT = (PROJECT / "docker-compose.yaml").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
RUNNING = ("api-server", "scheduler", "dag-processor", "triggerer")
AIRFLOW = ("airflow-init", *RUNNING)
ONCE = ("own-volumes", "airflow-init")
"""Services that do their work and end."""
EXAMPLE = dict(
    line.split("=", 1) for line in (PROJECT / ".env.example").read_text().splitlines() if line and line[0] != "#"
)
SECRETS = ("AIRFLOW_ADMIN_PASSWORD", "POSTGRES_PASSWORD", "AIRFLOW_JWT_SECRET", "AIRFLOW_FERNET_KEY")


def mounts(service: dict[str, Any]) -> dict[str, str]:
    return {mount.split(":")[1]: mount.split(":")[0] for mount in service["volumes"]}


def test_all_components_of_airflow_are_there() -> None:
    assert set(SERVICES) == {"postgres", "target", "own-volumes", *AIRFLOW}
    assert {name: SERVICES[name]["command"] for name in RUNNING} == {name: name for name in RUNNING}


@pytest.mark.parametrize("name", RUNNING)
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
            "/opt/airflow/include": "./include",
            "/opt/airflow/otterflow": "results",
            "/keys": "keys",
            "/secrets": "./secrets",
        }.items()
    )


def test_an_update_of_the_checkout_does_not_change_the_code_that_runs() -> None:
    dockerfile = (PROJECT / "Dockerfile").read_text()
    for code in ("dags", "plugins"):
        assert f"COPY --chown=airflow:0 {code} /opt/airflow/{code}\n" in dockerfile
        assert f"./{code}" not in {source for service in SERVICES.values() for source in mounts(service).values()}


def test_an_image_is_built_once_however_many_services_run_it() -> None:
    built = [service["image"] for service in SERVICES.values() if "build" in service]
    assert len(built) == len(set(built)), "each further build of an image leaves a dangling one behind"
    assert {service["image"] for service in SERVICES.values()} == {*built, "postgres:16-bookworm"}


def test_every_running_service_has_a_health_check() -> None:
    assert [name for name, service in SERVICES.items() if "healthcheck" not in service] == list(ONCE)


@pytest.mark.parametrize("name", RUNNING)
def test_a_health_check_is_one_request_and_is_soon_asked_for_the_first_time(name: str) -> None:
    health = SERVICES[name]["healthcheck"]
    assert "airflow jobs check" not in " ".join(health["test"]), "it takes .13 of a core beside the benchmark"
    assert "curl" in " ".join(health["test"])
    assert int(health["interval"].removesuffix("s")) <= 10


@pytest.mark.parametrize("name", [name for name in RUNNING if name != "api-server"])
@pytest.mark.parametrize(("status", "healthy"), [("healthy", True), ("unhealthy", False), (None, False)])
def test_a_component_is_healthy_when_airflow_says_so_of_it(
    name: str, status: str | None, healthy: bool, tmp_path: Path
) -> None:
    """The check of docker-compose.yaml, with an answer of Airflow's own making in curl's place."""
    component = name.replace("-", "_")
    answer = HealthInfoResponse.model_validate(
        {
            part: {"status": "healthy", f"latest_{part}_heartbeat": None}
            for part in ("metadatabase", "scheduler", "triggerer", "dag_processor")
        }
        | {component: {"status": status, f"latest_{component}_heartbeat": "2026-01-01T00:00:00+00:00"}}
    )
    (tmp_path / "curl").write_text(f"#!/bin/sh\necho '{answer.model_dump_json()}'\n")
    (tmp_path / "curl").chmod(0o755)
    kind, command = SERVICES[name]["healthcheck"]["test"]
    assert kind == "CMD-SHELL"
    done = subprocess.run(
        ["sh", "-c", command.replace("$$", "$")], env=os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    )
    assert (done.returncode == 0) == healthy


def test_the_targets_health_check_asks_nothing_of_the_server_whose_log_is_kept() -> None:
    (_, command) = SERVICES["target"]["healthcheck"]["test"]
    assert "pg_isready" not in command
    assert "psql" not in command


def test_mounted_files_and_volumes_exist() -> None:
    used = {source for service in SERVICES.values() for source in mounts(service).values()}
    assert [path for path in used if path.startswith("./") and not (PROJECT / path).exists()] == []
    assert {name for name in used if not name.startswith("./")} == set(COMPOSE["volumes"])


def test_ports_are_published_on_loopback_alone() -> None:
    published = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert published == ["127.0.0.1:${AIRFLOW_PORT:-8080}:8080"]


def test_down_takes_the_target_with_it() -> None:
    assert EXAMPLE["COMPOSE_PROFILES"] == "target", "in .env it counts for up and for down, on a command line for one"
    assert SERVICES["target"]["profiles"] == ["target"]


def test_the_form_offers_the_target_that_is_started_here() -> None:
    offered = SERVICES["dag-processor"]["environment"]["OTTERFLOW_DEFAULT_TARGET"]
    assert offered == "${OTTERFLOW_DEFAULT_TARGET:-example_compose}"
    assert EXAMPLE["OTTERFLOW_DEFAULT_TARGET"] == "example_compose"
    assert (PROJECT / "include" / "targets" / "example_compose.yaml").exists()


def test_the_targets_memory_is_limited_and_does_not_go_to_swap() -> None:
    target = SERVICES["target"]
    assert target["mem_limit"] == target["memswap_limit"] == f"${{TARGET_MEMORY:-{EXAMPLE['TARGET_MEMORY']}}}"


def test_the_first_calls_of_the_execution_api_have_time() -> None:
    assert float(SERVICES["scheduler"]["environment"]["AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT"]) >= 30


def test_secrets_have_no_default_and_are_in_the_example() -> None:
    named = set(re.findall(r"(?<!\$)\$\{(\w+)", TEXT))
    assert named == set(EXAMPLE) - {"COMPOSE_PROFILES"}
    for name in SECRETS:
        assert EXAMPLE[name] == ""
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
    assert SERVICES["own-volumes"]["depends_on"]["target"] == {"condition": "service_healthy", "required": False}
    done = {"condition": "service_completed_successfully"}
    assert SERVICES["airflow-init"]["depends_on"]["own-volumes"] == done


def handed_over(service: str) -> str:
    """What a script mounted into a one-time service says."""
    begins: Any = SERVICES[service].get("entrypoint", SERVICES[service].get("command"))
    inside = begins[-1]
    return (PROJECT / mounts(SERVICES[service])[inside]).read_text()


def test_a_changed_airflow_uid_gets_what_the_former_one_has_written() -> None:
    """Every volume that Airflow's containers write or read keys from is handed over before they start."""
    volumes = {inside for name in AIRFLOW for inside, source in mounts(SERVICES[name]).items() if "/" not in source}
    owner = SERVICES["own-volumes"]
    assert owner["user"] == "0:0"
    assert volumes <= set(mounts(owner))
    assert not [volume for volume in owner["volumes"] if volume.startswith("keys:") and volume.endswith(":ro")]
    chown = "\n".join(line for line in handed_over("own-volumes").splitlines() if "chown" in line or "for file" in line)
    for inside in volumes - {"/keys"}:
        assert inside in chown
    for key in re.findall(
        r'"\$KEYS/(user_key|connections.json)"', (PROJECT / "docker/target-entrypoint.sh").read_text()
    ):
        assert f"/keys/{key}" in chown
    assert "AIRFLOW_UID" not in (PROJECT / "docker" / "target-entrypoint.sh").read_text()


GOOD = {
    "AIRFLOW_ADMIN_PASSWORD": "pa$word \"'",
    "POSTGRES_PASSWORD": "abc123",
    "AIRFLOW__CORE__FERNET_KEY": "0123456789012345678901234567890123456789_-A=",
}


def init(environment: dict[str, str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Runs airflow-init.sh with its folders under `folder` and a stand-in for Airflow that writes its arguments."""
    script = folder / "init.sh"
    text = (PROJECT / "docker" / "airflow-init.sh").read_text()
    script.write_text(re.sub(r"(?<=[ >])/(opt/airflow|keys|secrets)/", rf"{folder}/\1/", text))
    for name in ("opt/airflow/auth", "keys", "secrets", "bin"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "bin" / "airflow").write_text(f'#!/bin/sh\necho "$@" >> {folder}/calls\n')
    (folder / "bin" / "airflow").chmod(0o755)
    path = f"{folder / 'bin'}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    return subprocess.run(["bash", script], env={"PATH": path, **environment}, capture_output=True, text=True)


def test_the_first_container_keeps_any_password_and_imports_connections_of_the_user(tmp_path: Path) -> None:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "connections.json").write_text("{}")
    done = init(GOOD, tmp_path)
    assert done.returncode == 0, done.stderr
    passwords = tmp_path / "opt/airflow/auth/passwords.json"
    assert json.loads(passwords.read_text()) == {"admin": GOOD["AIRFLOW_ADMIN_PASSWORD"]}
    assert stat.S_IMODE(passwords.stat().st_mode) == 0o600
    imported = f"connections import {tmp_path}/secrets/connections.json --overwrite"
    assert (tmp_path / "calls").read_text().splitlines() == ["db migrate", imported]


@pytest.mark.parametrize(
    ("name", "value", "remedy"),
    [
        ("POSTGRES_PASSWORD", "pa$word", "only letters and digits"),
        ("POSTGRES_PASSWORD", "a/b@c", "only letters and digits"),
        ("AIRFLOW__CORE__FERNET_KEY", "secret", "openssl rand -base64 32"),
        ("AIRFLOW_ADMIN_PASSWORD", "", "set it in .env"),
    ],
)
def test_a_value_of_env_that_cannot_work_is_refused_by_name(name: str, value: str, remedy: str, tmp_path: Path) -> None:
    done = init(GOOD | {name: value}, tmp_path)
    assert done.returncode != 0
    assert name.replace("AIRFLOW__CORE__", "AIRFLOW_") in done.stderr
    assert remedy in done.stderr
    assert not (tmp_path / "calls").exists()
    assert not value or value not in done.stderr, "a secret is not printed"


def test_the_hints_for_secrets_give_what_is_wanted_and_need_openssl_alone(tmp_path: Path) -> None:
    hints = re.findall(r"For example: (openssl [^.\n]+)", (PROJECT / ".env.example").read_text())
    assert len(hints) == 3
    *others, fernet = (subprocess.check_output(["bash", "-c", hint], text=True).strip() for hint in hints)
    assert all(re.fullmatch("[0-9a-f]{32,}", value) for value in others)
    assert len(urlsafe_b64decode(fernet)) == 32
    assert init(GOOD | {"AIRFLOW__CORE__FERNET_KEY": fernet}, tmp_path).returncode == 0


def test_keys_of_the_user_are_never_committed_nor_sent_into_an_image() -> None:
    assert "secrets" in (PROJECT / ".dockerignore").read_text().split()
    ignored = subprocess.run(
        ["git", "check-ignore", "--no-index", "secrets/id_ed25519", ".env"], cwd=PROJECT, capture_output=True, text=True
    )
    assert ignored.stdout.split() == ["secrets/id_ed25519", ".env"]


def test_image_is_of_the_airflow_that_is_locked() -> None:
    dockerfile = (PROJECT / "Dockerfile").read_text()
    locked = re.search(r"^apache-airflow==(\S+)$", (PROJECT / "requirements.txt").read_text(), flags=re.MULTILINE)
    assert locked is not None
    assert f"FROM apache/airflow:slim-{locked[1]}-python3.11 AS airflow" in dockerfile
    assert f"otterflow-airflow:{locked[1]}" in TEXT
    stages = re.findall(r" AS (\w+)$", dockerfile, flags=re.MULTILINE)
    assert {service["build"]["target"] for service in SERVICES.values() if "build" in service} == set(stages)
