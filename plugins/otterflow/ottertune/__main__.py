"""The command: `python -m otterflow.ottertune import FOLDER --experiment NAME`, and `export`.

It finds the repository as the Dags' tasks do, through the Airflow connection `otterflow_repository`, unless the
environment's OTTERFLOW_REPOSITORY holds a URL. A URL may hold a password, so there is no option for it.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path

from otterflow import settings
from otterflow.errors import OtterflowError
from otterflow.knobs.catalog import load_catalog
from otterflow.ottertune.exporting import ExportReport, export
from otterflow.ottertune.importing import import_folder
from otterflow.ottertune.report import ImportReport
from otterflow.ottertune.spec import ImportSpec
from otterflow.repository import Repository

URL_VARIABLE = "OTTERFLOW_REPOSITORY"
WRONG_INPUT = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; its exit code: 0, or 2 with the reason on stderr."""
    given = _parser().parse_args(arguments)
    try:
        with redirect_stdout(sys.stderr):  # Airflow logs to stdout, where the report belongs alone
            repository = _repository()
            print(repository)
            report = _export(repository, given) if given.command == "export" else _import(repository, given)
    except OtterflowError as error:
        print(error, file=sys.stderr)
        return WRONG_INPUT
    print(json.dumps(report.as_dict(), indent=1) if given.json else report.table())
    return 0


def _export(repository: Repository, given: argparse.Namespace) -> ExportReport:
    return export(repository, given.experiment, Path(given.to), iteration=given.iteration)


def _import(repository: Repository, given: argparse.Namespace) -> ImportReport:
    from otterflow.operators.version import code_version

    spec = ImportSpec.from_params({name: getattr(given, name) for name in ImportSpec.model_fields})
    catalog = load_catalog(settings.include_dir() / "knob_catalogs" / "postgresql.yaml")
    return import_folder(repository, spec, catalog, code_version=code_version())


def _repository() -> Repository:
    url = os.environ.get(URL_VARIABLE)
    if url:
        return Repository.open(url)
    from otterflow.operators.connections import open_repository

    return open_repository()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m otterflow.ottertune", description="OtterTune's four files.")
    commands = parser.add_subparsers(dest="command", required=True)
    out = commands.add_parser("export", help="write trials as OtterTune's four files")
    out.add_argument("--experiment", required=True, help="the experiment whose trials to write")
    out.add_argument("--iteration", type=int, help="one trial (default: all that have ended)")
    out.add_argument("--to", required=True, metavar="FOLDER", help="where to write; made if it is not there")
    into = commands.add_parser("import", help="read a folder of OtterTune's sets into a finished experiment")
    into.add_argument("folder", metavar="FOLDER", help="the folder of <prefix>__*.json sets")
    into.add_argument("--experiment", required=True, help="the name of the experiment to make")
    into.add_argument("--target", help="the name of the server the sets are from (default: ottertune)")
    into.add_argument("--benchmark", help="the name to file the workload under (default: the sets' workload_name)")
    into.add_argument("--workload", help="take the sets of this workload_name alone")
    into.add_argument("--ram-gb", type=float, help="RAM of the server's host in GiB; the knobs' ranges depend on it")
    into.add_argument("--cores", type=int, help="cores of the server's host")
    into.add_argument("--disk", choices=("ssd", "hdd"), help="disk of the server's host")
    into.add_argument("--replace", action="store_true", help="store it anew in place of an earlier import of that name")
    for command in (out, into):
        command.add_argument("--json", action="store_true", help="print the report as JSON")
    return parser


if __name__ == "__main__":
    sys.exit(main())
