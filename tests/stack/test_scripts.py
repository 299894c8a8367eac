"""The shell scripts and the Makefile: clean for shellcheck, and quick to say what they are for."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
import yaml

PROJECT = Path(__file__).resolve().parents[2]
SCRIPTS = [
    PROJECT / name
    for name in (
        "stack/setup.sh",
        "scripts/otterflow-free-cache",
        ".ci/run",
        "docker/airflow-init.sh",
        "docker/own-volumes.sh",
        "docker/target-entrypoint.sh",
    )
]


@pytest.mark.slow
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_script_passes_shellcheck_and_is_executable(script: Path) -> None:
    done = subprocess.run(["shellcheck", script], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert os.access(script, os.X_OK)


def test_make_lint_checks_the_same_scripts() -> None:
    lines = (PROJECT / "Makefile").read_text().replace("\\\n", "").splitlines()
    line = next(line for line in lines if line.startswith("SHELL_SCRIPTS"))
    assert {PROJECT / word for word in line.split(":=")[1].split()} == set(SCRIPTS)


def test_make_lists_every_public_target() -> None:
    done = subprocess.run(["make", "-C", PROJECT, "--no-print-directory"], check=True, capture_output=True, text=True)
    listed = {line.split()[0] for line in done.stdout.splitlines()}
    run = {"setup", "demo", "demo-night", "up", "down", "clean"}
    assert listed == {"help", *run, "test", "unit", "lint", "bench", "pictures", "lock"}


def test_continuous_integration_lints_and_tests() -> None:
    commands = [
        line
        for line in (PROJECT / ".ci" / "run").read_text().splitlines()
        if line and not line.startswith(("#", "set "))
    ]
    assert commands == ['cd "$(dirname "${BASH_SOURCE[0]}")/.."', "make lint", "exec make test"]


def test_a_commit_is_checked_by_what_make_lint_runs() -> None:
    dry = subprocess.run(["make", "-C", PROJECT, "--dry-run", "lint"], check=True, capture_output=True, text=True)
    linted = [line.removeprefix(".venv/bin/") for line in dry.stdout.splitlines()]
    config = yaml.safe_load((PROJECT / ".pre-commit-config.yaml").read_text())
    assert [repository["repo"] for repository in config["repos"]] == ["local"]
    for hook in config["repos"][0]["hooks"]:
        # The files that are committed take the place of the dot, or of the list of scripts.
        command = hook["entry"].removeprefix(".venv/bin/").removesuffix(" --force-exclude")
        assert hook["language"] == "system"
        assert any(line.split()[: len(command.split())] == command.split() for line in linted), command
    linters = {line.split()[0] for line in linted if line.split()[0] in ("ruff", "mypy", "shellcheck")}
    assert linters == {hook["entry"].split()[0].removeprefix(".venv/bin/") for hook in config["repos"][0]["hooks"]}


def test_every_requirement_is_locked_by_version() -> None:
    for lock in ("requirements.txt", "requirements-dev.txt"):
        pinned = [line for line in (PROJECT / lock).read_text().splitlines() if not line.lstrip().startswith("#")]
        assert pinned
        assert [line for line in pinned if "==" not in line] == []
