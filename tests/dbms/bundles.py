"""Readers of exported files, each as strict as the tool whose file it is: what it does not know is an error."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import yaml

from otterflow.dbms.bundle.values import Bundle, ExportedKnob, Order
from otterflow.knobs.setting import LiveSetting
from otterflow.knobs.space import Value

HOSTILE = "night'; DROP TABLE x; --\n\"}}$(id)`id`${x}%{x}{{ 7*7 }}{% raw %}*/ \u202e\u2028# \x00"
"""A text that tries to leave the comment of every file that it gets into."""

_ATTRIBUTE = re.compile(r'([a-z_]+) *= *"((?:[^"\\$%]|\\["\\]|\$\$\{|%%\{|[$%](?!\{))*)"')


def order_of(
    live: dict[str, LiveSetting], config: dict[str, Value], version: int, *, because: str = "found in trial 3"
) -> Order:
    """The order of a configuration; what takes a restart is asked of the settings."""
    knobs = [
        ExportedKnob(live[name], value, live[name].value, live[name].needs_restart, because)
        for name, value in config.items()
    ]
    return Order(f"experiment {because}", "night-best", version, knobs)


def read_yaml(text: str) -> Any:
    """The one document, of plain types only."""
    return yaml.safe_load(text)


def playbook_of(text: str) -> dict[str, Any]:
    """The one play, whose tasks and handlers use known modules with known arguments."""
    known = {
        "ansible.builtin.copy": {"dest", "owner", "group", "mode", "backup", "content"},
        "ansible.builtin.service": {"name", "state"},
    }
    (play,) = read_yaml(text)
    assert play.keys() == {"name", "hosts", "become", "vars", "tasks", "handlers"}
    for step in [*play["tasks"], *play["handlers"]]:
        (module,) = step.keys() - {"name", "notify"}
        assert step[module].keys() <= known[module], step
    notified = {task["notify"] for task in play["tasks"]}
    assert notified == {handler["name"] for handler in play["handlers"]}
    return dict(play)


def terraform_of(text: str) -> dict[str, Any]:
    """The one resource: its type, its attributes, and its parameters by name."""
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    first = re.fullmatch(r'resource "(\w+)" "([a-z_][a-z0-9_]*)" \{', lines[0])
    assert first, lines[0]
    assert lines[-1] == "}"
    found: dict[str, Any] = {"type": first[1], "label": first[2], "parameters": {}}
    block: dict[str, str] | None = None
    for line in lines[1:-1]:
        attribute = _ATTRIBUTE.fullmatch(line)
        if line == "parameter {" and block is None:
            block = {}
        elif line == "}" and block is not None:
            assert block.keys() == {"name", "value", "apply_method"}
            found["parameters"][block["name"]] = (block["value"], block["apply_method"])
            block = None
        elif attribute:
            (found if block is None else block)[attribute[1]] = attribute[2]
        else:
            assert line.startswith("#"), line
    assert block is None
    return found


def parameters_of(bundle: Bundle, folder: str) -> dict[str, tuple[str, str]]:
    """What all of a service's JSON files set; no file holds more than one call takes, and no name comes twice."""
    rows: list[dict[str, str]] = []
    for path, text in bundle.files.items():
        if re.fullmatch(rf"{folder}/parameters-\d+\.json", path):
            chunk = json.loads(text)
            assert 1 <= len(chunk) <= 20
            rows += chunk
    assert all(row.keys() == {"ParameterName", "ParameterValue", "ApplyMethod"} for row in rows)
    found = {row["ParameterName"]: (row["ParameterValue"], row["ApplyMethod"]) for row in rows}
    assert len(found) == len(rows)
    return found


def run_apply(bundle: Bundle, folder: str, place: Path, fixed: str = "") -> tuple[int, str, list[str]]:
    """Run a service's script with a stand-in for the AWS CLI, which says that the parameters in `fixed` are fixed.

    Its exit code, what it said, and each call.
    """
    for path, text in bundle.files.items():
        if path.startswith(f"{folder}/"):
            (place / path).parent.mkdir(parents=True, exist_ok=True)
            (place / path).write_text(text)
    (place / "bin").mkdir()
    aws = place / "bin" / "aws"
    aws.write_text(
        '#!/bin/sh\nprintf "%s\\n" "$*" >> "$CALLS"\n'
        'case "$2" in describe-engine-*) printf "%s\\n" "$FIXED";; describe-*) exit 254;; esac\n'
    )
    aws.chmod(0o755)
    environment = {"PATH": f"{place / 'bin'}:{os.environ['PATH']}", "CALLS": str(place / "calls"), "FIXED": fixed}
    done = subprocess.run(
        ["sh", str(place / folder / "apply.sh"), "my group"],
        env=environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr, (place / "calls").read_text().splitlines()
