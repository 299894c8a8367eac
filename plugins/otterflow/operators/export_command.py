"""The command `python -m otterflow export --experiment NAME --to FILE.zip`: a configuration for other tools.

The archive holds what differs from the configuration before the experiment. The repository is found as the tasks find
it, through the Airflow connection `otterflow_repository`.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from otterflow.operators.connections import open_repository


def add_to(commands: Any) -> None:
    """Add the command and its options to the parser's commands."""
    parser = commands.add_parser(
        "export",
        help="a configuration of an experiment as files for other tools",
        description="A zip archive with the server's own file, SQL, Ansible, manifests and parameter groups.",
    )
    parser.add_argument("--experiment", required=True, help="the experiment's name")
    parser.add_argument(
        "--configuration", default="best", help="best (default), rules, an arm of the form, or a trial's number"
    )
    parser.add_argument(
        "--to", required=True, metavar="FILE", type=Path, help="the archive; one of the name is replaced"
    )
    parser.set_defaults(run=_run)


def _run(given: argparse.Namespace) -> str:
    from otterflow.report.bundle import README, export, write_archive

    repository = open_repository()
    print(repository)
    found = export(repository, given.experiment, given.configuration)
    write_archive(given.to, found)
    return f"{given.to}\n\n{found.files[README]}".rstrip()
