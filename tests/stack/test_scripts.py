"""The shell scripts and the Makefile: clean for shellcheck, and quick to say what they are for."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
SCRIPTS = [
    PROJECT / name
    for name in (
        "stack/setup.sh",
        "scripts/otterflow-free-cache",
        ".ci/run",
        "docker/airflow-init.sh",
        "docker/target-entrypoint.sh",
    )
]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_script_passes_shellcheck_and_is_executable(script: Path) -> None:
    done = subprocess.run(["shellcheck", script], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert os.access(script, os.X_OK)


def test_make_lint_checks_the_same_scripts() -> None:
    line = next(line for line in (PROJECT / "Makefile").read_text().splitlines() if line.startswith("SHELL_SCRIPTS"))
    assert {PROJECT / word for word in line.split(":=")[1].split()} == set(SCRIPTS)


def test_make_lists_every_public_target() -> None:
    done = subprocess.run(["make", "-C", PROJECT, "--no-print-directory"], check=True, capture_output=True, text=True)
    listed = {line.split()[0] for line in done.stdout.splitlines()}
    assert listed == {"help", "setup", "demo", "up", "down", "test", "lint", "bench", "lock", "clean"}


def test_continuous_integration_runs_make_test() -> None:
    commands = [
        line
        for line in (PROJECT / ".ci" / "run").read_text().splitlines()
        if line and not line.startswith(("#", "set "))
    ]
    assert commands == ['cd "$(dirname "${BASH_SOURCE[0]}")/.."', "exec make test"]


def test_every_requirement_is_locked_by_version() -> None:
    for lock in ("requirements.txt", "requirements-dev.txt"):
        pinned = [line for line in (PROJECT / lock).read_text().splitlines() if not line.lstrip().startswith("#")]
        assert pinned
        assert [line for line in pinned if "==" not in line] == []
