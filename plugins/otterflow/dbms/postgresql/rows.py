"""A row of `pg_settings` as a setting, its texts read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from otterflow.dbms.postgresql import spelling
from otterflow.errors import InvalidInput, Problem
from otterflow.knobs.setting import LiveSetting

COLUMNS = (
    "name", "setting", "unit", "vartype", "min_val", "max_val", "enumvals", "context", "boot_val", "reset_val",
    "source", "sourcefile", "pending_restart", "category", "short_desc",
)  # fmt: skip


def from_row(row: Mapping[str, Any]) -> LiveSetting:
    """A setting from a row of `SELECT * FROM pg_settings` as a mapping; other columns are ignored.

    `enumvals` is a list or None. Raises InvalidInput that names the missing columns.
    """
    missing = [column for column in COLUMNS if column not in row]
    if missing:
        found = f"a row without {', '.join(missing)}"
        raise InvalidInput(Problem("pg_settings", found, "select all columns of pg_settings"))
    enumvals = tuple(row["enumvals"] or ())
    name, text, vartype = row["name"], row["setting"], row["vartype"]
    return LiveSetting(
        name=name,
        value=spelling.read(text, name, vartype, row["unit"], (*enumvals, text)),
        text=text,
        vartype=vartype,
        unit=row["unit"],
        minimum=_limit(row["min_val"], vartype),
        maximum=_limit(row["max_val"], vartype),
        enumvals=enumvals,
        needs_restart=row["context"] == "postmaster",
        takes_reload=row["context"] in ("sighup", "superuser", "user"),
        pending_restart=row["pending_restart"],
        source=row["source"],
        sourcefile=row["sourcefile"],
        short_desc=row["short_desc"],
        row={column: row[column] for column in COLUMNS} | {"enumvals": list(enumvals) or None},
    )


def _limit(text: str | None, vartype: str) -> int | float | None:
    if text is None:
        return None
    return int(text) if vartype == "integer" else float(text)
