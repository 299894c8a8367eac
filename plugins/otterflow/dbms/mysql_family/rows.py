"""A setting from what the server says of it. Both products are asked for the same columns (`COLUMNS`).

`settable`, whether the SQL user may change it for all sessions at once, is newer than the rows of older experiments.

What a product does not tell is NULL there: MySQL tells no members of an enum, and before 9.0 no types. Whether a
setting can be changed while it runs (`read_only`) its catalog says, of the knobs alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from otterflow.dbms.mysql_family import spelling
from otterflow.dbms.mysql_family.members import MEMBERS
from otterflow.dbms.mysql_family.sizes import BLOCKS, unit_of
from otterflow.errors import InvalidInput, Problem
from otterflow.knobs.setting import LiveSetting, SettingType

COLUMNS = (
    "name", "value", "origin", "path", "default_value", "type", "minimum", "maximum", "block", "members", "read_only",
    "description",
)  # fmt: skip

AT_A_START = frozenset(
    {
        "innodb_buffer_pool_size", "innodb_buffer_pool_chunk_size", "innodb_log_file_size", "innodb_redo_log_capacity",
        "binlog_cache_size", "binlog_stmt_cache_size", "thread_pool_size",
    }
)  # fmt: skip
"""Left to a start, though newer servers take them as they run: memory is moved, or a log written anew, meanwhile; a
session keeps the binary log's caches that it has made; and `thread_pool_size` reads 0 from then on where there is no
pool. Source of the caches: https://dev.mysql.com/doc/refman/8.4/en/replication-options-binary-log.html."""

_TYPES: dict[str, SettingType] = {
    "boolean": "bool", "enum": "enum", "enumeration": "enum", "double": "real", "numeric": "real",
    "bigint": "integer", "int": "integer", "integer": "integer",
}  # fmt: skip
"""The servers' words for types, the first of each in lower case; all others are text, sets of words among them."""


def from_row(row: Mapping[str, Any]) -> LiveSetting:
    """A setting from a row with `COLUMNS`. Raises InvalidInput that names the missing columns."""
    missing = [column for column in COLUMNS if column not in row]
    if missing:
        found = f"a row without {', '.join(missing)}"
        raise InvalidInput(Problem("settings", found, "ask for all columns"))
    name, text, vartype = row["name"], row["value"] or "", type_of(row)
    members = members_of(row) if vartype == "enum" else ()
    number = vartype in ("integer", "real")
    return LiveSetting(
        name=name,
        value=spelling.read(text, name, vartype, (*members, text)),
        text=text,
        vartype=vartype,
        unit=unit_of(name) if vartype == "integer" else None,
        minimum=_limit(row["minimum"], vartype) if number else None,
        maximum=_limit(row["maximum"], vartype) if number else None,
        enumvals=members,
        needs_restart=row["read_only"] is None or bool(row["read_only"]),
        takes_reload=bool(row.get("settable")) and name not in AT_A_START,
        pending_restart=False,  # which the server does not know
        source=row["origin"],
        sourcefile=row["path"] or None,
        short_desc=" ".join((row["description"] or "").split()),
        row={column: row[column] for column in COLUMNS} | {"settable": bool(row.get("settable"))},
    )


def type_of(row: Mapping[str, Any]) -> SettingType:
    """The type that the server names; without a name, the one that value and limits speak for."""
    if members_of(row) and not row["members"]:
        return "enum"
    if row["type"]:
        told = _TYPES.get(row["type"].split()[0].lower(), "string")
        return "string" if told == "enum" and not row["members"] else told  # character sets have no list
    if row["members"]:
        return "enum"
    text = row["value"] or ""
    if row["maximum"] not in (None, "", "0"):
        return "integer" if text.lstrip("-").isdigit() else "real"
    return "bool" if text in ("ON", "OFF") else "string"


def members_of(row: Mapping[str, Any]) -> tuple[str, ...]:
    """The values of an enum: as the server tells them, else as `MEMBERS` does; none where they are unknown."""
    return tuple(row["members"].split(",")) if row["members"] else MEMBERS.get(row["name"], ())


def block_of(setting: LiveSetting) -> int:
    """What the server rounds a value to a multiple of; 1 where it takes every whole number."""
    told = setting.row["block"]
    return max(int(told or 0), BLOCKS.get(setting.name, 1), 1)


def _limit(text: str | None, vartype: SettingType) -> int | float | None:
    if text is None or text == "":
        return None
    return int(text) if vartype == "integer" else float(text)
