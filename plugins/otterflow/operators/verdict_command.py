"""The command `python -m otterflow verdict --recording NAME`: what a backfill says of a candidate, without Airflow.

It finds the repository as the tasks do, through the Airflow connection `otterflow_repository`.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from otterflow.operators.connections import open_repository
from otterflow.operators.judge_backfill import judged, write


def add_to(commands: Any) -> None:
    """Add the command and its options to the parser's commands."""
    parser = commands.add_parser(
        "verdict", help="what replayed intervals say of a configuration", description="The table and the verdict."
    )
    parser.add_argument("--recording", required=True, metavar="NAME", help="a file in include/recordings/")
    parser.add_argument("--from", metavar="TIME", help="intervals that begin then or later (ISO 8601; UTC)")
    parser.add_argument("--to", metavar="TIME", help="intervals that begin before it")
    parser.add_argument("--candidate", metavar="ARM", help="one of those that were tried (default: all)")
    parser.add_argument("--nowhere-worse-percent", type=float, metavar="X", help="in the place of the file's rule")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write all of it there as well")
    parser.set_defaults(run=_run)


def _run(given: argparse.Namespace) -> str:
    text, record = judged(open_repository(), vars(given))
    if given.json is not None:
        write(given.json, record)
    return text
