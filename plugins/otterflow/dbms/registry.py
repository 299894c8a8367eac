"""Which DBMSs there are. One more is a folder beside `postgresql/` and a line in `MODULES`.

Each is imported when it is first asked for: nothing that only reads a Dag file pays for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from otterflow.dbms.base import Dbms
from otterflow.dbms.target import Target
from otterflow.errors import InvalidInput, MachineryFault, Problem
from otterflow.yaml_files import checked_name, problems_of, read_mapping

MODULES = {
    "postgresql": "otterflow.dbms.postgresql.dbms",
    "mariadb": "otterflow.dbms.mariadb.dbms",
    "mysql": "otterflow.dbms.mysql.dbms",
}
"""The name in target files, knob catalogs and the repository, and the module that has its `DBMS`."""

UNSAID = next(iter(MODULES))
"""The DBMS of a target file that names none."""


def dbms_named(name: str) -> Dbms:
    """The DBMS of that name.

    Raises InvalidInput that names those there are for a name that is not among them, and MachineryFault, with the
    cause, where one that is cannot be imported.
    """
    if name not in MODULES:
        raise InvalidInput(Problem("dbms", f"{name!r} is not known", f"use one of {', '.join(MODULES)}"))
    return _imported(name)


@cache
def _imported(name: str) -> Dbms:
    try:
        found = import_module(MODULES[name]).DBMS
    except (ImportError, AttributeError) as error:
        raise MachineryFault(f"dbms {name!r} is known, and its module {MODULES[name]} is broken: {error}") from error
    if not isinstance(found, Dbms):
        raise MachineryFault(f"dbms {name!r}: DBMS in {MODULES[name]} is a {type(found).__name__}, not a Dbms")
    return found


def target_of(record: Mapping[str, Any], where: str) -> Target:
    """The target that a file or a record describes, by the fields of its DBMS.

    Raises InvalidInput that lists every wrong field of `where`, each with what would be right.
    """
    named = record.get("dbms", UNSAID)
    try:
        model = dbms_named(str(named)).target
    except InvalidInput as error:
        raise InvalidInput([Problem(f"{where}: {p.field}", p.found, p.advice) for p in error.problems]) from None
    try:
        return model.model_validate(record)
    except ValidationError as error:
        raise InvalidInput(problems_of(error, where)) from None


def load_target(path: Path) -> Target:
    """Read and check one target file. Raises InvalidInput as `target_of` does."""
    record = read_mapping(path, field="target", plural="targets", example="include/targets/ for an example")
    return checked_name(target_of(record, path.name), path, "target")
