"""What `python -m otterflow` can do: each subcommand in a module of its own, which adds its options here.

Reports go to standard output, alone; logs, and which repository was taken, to standard error.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout

from otterflow.errors import OtterflowError
from otterflow.operators import experience_command, export_command, ottertune_command, task_command, verdict_command

WRONG_INPUT, FAILED = 2, 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; its exit code: 0, 1 for a task that failed, or 2 with the reason for wrong input on stderr."""
    parser = argparse.ArgumentParser(prog="python -m otterflow", description="otterflow without a scheduler.")
    commands = parser.add_subparsers(required=True)
    for module in (experience_command, export_command, ottertune_command, task_command, verdict_command):
        module.add_to(commands)
    given = parser.parse_args(arguments)
    try:
        with redirect_stdout(sys.stderr):  # Airflow logs to stdout, where the report belongs alone
            report: str = given.run(given)
    except task_command.TaskFailed as error:
        print(error, file=sys.stderr)
        return FAILED
    except OtterflowError as error:
        print(error, file=sys.stderr)
        return WRONG_INPUT
    print(report)
    return 0
