"""The command `python -m otterflow experience pack EXPERIMENT... --to FILE`, and `check`.

`pack` makes a pack of finished experiments that may be given on; `check` reads packs and says what is in them. The
repository is found as by the tasks, unless the environment's OTTERFLOW_REPOSITORY holds a URL.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from otterflow.operators.ottertune_command import named_repository

_NOT_IN_IT = (
    "In it are only what you see above, and the knobs' values: no name of a host, target, database, user, experiment,\n"
    "file or metric, no SQL, no date, and no measured value but as a ratio to the baseline's."
)


def add_to(commands: Any) -> None:
    """Add the command and its options to the parser's commands."""
    parser = commands.add_parser(
        "experience", help="packs of measured trials", description="Packs of measured trials (docs/experience.md)."
    )
    commands = parser.add_subparsers(required=True)
    out = commands.add_parser("pack", help="make a pack of finished experiments, to be given on")
    out.add_argument("experiments", nargs="+", metavar="EXPERIMENT", help="finished experiments of one DBMS or several")
    out.add_argument("--to", required=True, type=Path, metavar="FILE", help="the pack, NAME.json")
    out.add_argument("--title", required=True, help="what it is, in a line; it is shown to whoever reads the pack")
    out.add_argument("--licence", required=True, help="under which others may use it, such as CC0-1.0")
    out.add_argument("--source", help="where the trials are from, in a line (default: otterflow and its version)")
    out.add_argument("--copyright", help="whose it is, where the licence asks for that")
    out.add_argument(
        "--workload", help="the load in words (default: the name of a benchmark that comes with otterflow)"
    )
    out.add_argument("--replace", action="store_true", help="write over a file of that name")
    out.set_defaults(run=_pack)
    read = commands.add_parser("check", help="read packs, and say what is in them or what is wrong with them")
    read.add_argument("files", nargs="*", type=Path, metavar="FILE", help="default: all in include/experience/")
    read.set_defaults(run=_check)


def _pack(given: argparse.Namespace) -> str:
    import otterflow
    from otterflow.learning.pack_files import pack_name, read_pack, write_pack
    from otterflow.learning.pack_report import summary
    from otterflow.learning.packing import Words, pack_of

    pack_name(given.to)
    source = given.source or f"measured by otterflow {otterflow.__version__}"
    words = Words(given.title, source, given.licence, given.copyright, given.workload)
    write_pack(given.to, pack_of(named_repository(), given.experiments, words), replace=given.replace)
    return f"{summary(read_pack(given.to))}\n\n{_NOT_IN_IT}"


def _check(given: argparse.Namespace) -> str:
    from otterflow.errors import InvalidInput, Problem
    from otterflow.learning.pack_files import SUFFIX, read_pack
    from otterflow.learning.pack_report import summary
    from otterflow.settings import experience_dir

    files = given.files or sorted(experience_dir().glob(f"*{SUFFIX}"))
    if not files:
        found = f"no pack is in {experience_dir()}"
        raise InvalidInput(Problem("FILE", found, "put one there, or name a file"))
    told, problems = [], []
    for path in files:
        try:
            told.append(summary(read_pack(path)))
        except InvalidInput as error:
            problems += error.problems
    if problems:
        raise InvalidInput(problems)
    return "\n\n".join(told)
