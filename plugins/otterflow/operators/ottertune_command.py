"""The command `python -m otterflow ottertune import FOLDER --experiment NAME`, and `export`.

It finds the repository as the Dags' tasks do, through the Airflow connection `otterflow_repository`, unless the
environment's OTTERFLOW_REPOSITORY holds a URL. A URL may hold a password, so there is no option for it.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from otterflow.operators.connections import open_repository

if TYPE_CHECKING:
    from otterflow.ottertune.exporting import ExportReport
    from otterflow.ottertune.report import ImportReport
    from otterflow.repository import Repository

URL_VARIABLE = "OTTERFLOW_REPOSITORY"


def add_to(commands: Any) -> None:
    """Add the command and its options to the parser's commands."""
    parser = commands.add_parser("ottertune", help="OtterTune's four files", description="OtterTune's four files.")
    commands = parser.add_subparsers(required=True)
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
    for command, run in ((out, _export), (into, _import)):
        command.add_argument("--json", action="store_true", help="print the report as JSON")
        command.set_defaults(run=run)


def _export(given: argparse.Namespace) -> str:
    from otterflow.ottertune.exporting import export

    return _text(export(named_repository(), given.experiment, Path(given.to), iteration=given.iteration), given)


def _import(given: argparse.Namespace) -> str:
    from otterflow.experiment.plan import catalog_of
    from otterflow.operators.version import code_version
    from otterflow.ottertune.importing import import_folder
    from otterflow.ottertune.spec import ImportSpec
    from otterflow.ottertune.which import dbms_of

    repository = named_repository()
    spec = ImportSpec.from_params({name: getattr(given, name) for name in ImportSpec.model_fields})
    catalog = catalog_of(dbms_of(Path(spec.folder)))
    return _text(import_folder(repository, spec, catalog, code_version=code_version()), given)


def named_repository() -> Repository:
    """The repository of the environment's URL, or of the Airflow connection; which it is goes to the log."""
    from otterflow.repository import Repository

    url = os.environ.get(URL_VARIABLE)
    repository = Repository.open(url) if url else open_repository()
    print(repository)
    return repository


def _text(report: ExportReport | ImportReport, given: argparse.Namespace) -> str:
    return json.dumps(report.as_dict(), indent=1) if given.json else report.table()
