"""Rows that catalogs of related DBMSs share: written once, in `shared/<name>.yaml` beside the catalogs.

A catalog says `shares: <name>` and then only what is its own. A knob of it that has a shared one's name says what
differs from that, the rest is the shared row's; several such rows are its versions. A family that has a shared one's
name adds knobs to it, under the same reason. `lacks` names shared knobs that the DBMS does not have at all.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from otterflow.errors import InvalidInput, Problem
from otterflow.yaml_files import NAME_PATTERN, read_mapping

_OWN = ("shares", "lacks")
_FOLDER = "shared"


def with_shared_rows(record: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """A catalog's mapping, read from `path`, with the shared rows in their places; unchanged where it shares none.

    What is wrong in a row is for the catalog's own checks. Raises InvalidInput where the shared file cannot be read,
    or `lacks` names what is not there.
    """
    if "shares" not in record:
        return dict(record)
    shared = _shared(record["shares"], path)
    lacks = _names_lacked(record, shared, path)
    own = {key: value for key, value in record.items() if key not in _OWN}
    return {
        **own,
        "knobs": _merged([row for row in shared["knobs"] if row.get("name") not in lacks], _rows(own, "knobs")),
        "untuned": [*shared["untuned"], *_reasoned(shared["untuned"], _rows(own, "untuned"))],
    }


def shared_files(path: Path) -> list[Path]:
    """The files of shared rows that the catalog at `path` may name, sorted."""
    return sorted((path.parent / _FOLDER).glob("*.yaml"))


def _shared(name: object, path: Path) -> dict[str, list[dict[str, Any]]]:
    if not isinstance(name, str) or not re.match(NAME_PATTERN, name):
        raise InvalidInput(Problem(f"{path.name}: shares", f"{name!r} is not a name", "name a file in shared/"))
    where = path.parent / _FOLDER / f"{name}.yaml"
    record = read_mapping(where, field=f"{path.name}: shares", plural="shared rows", example="shared/ for an example")
    wrong = sorted(set(record) - {"knobs", "untuned"})
    if wrong:
        found = f"{', '.join(wrong)} in shared rows"
        raise InvalidInput(Problem(where.name, found, "they have knobs and untuned, and nothing else"))
    return {"knobs": _rows(record, "knobs"), "untuned": _rows(record, "untuned")}


def _rows(record: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    """The rows under a key; what is no row is left to the catalog's checks, which name it."""
    rows = record.get(key) or []
    return [row if isinstance(row, dict) else {"name": row} for row in rows] if isinstance(rows, list) else []


def _names_lacked(record: Mapping[str, Any], shared: Mapping[str, Sequence[Mapping[str, Any]]], path: Path) -> set[str]:
    lacks = record.get("lacks") or []
    known = {row.get("name") for row in shared["knobs"]}
    wrong = [name for name in lacks if name not in known] if isinstance(lacks, list) else [lacks]
    if wrong:
        found = f"{', '.join(map(repr, wrong))} is no shared knob"
        raise InvalidInput(Problem(f"{path.name}: lacks", found, f"list some of {', '.join(sorted(map(str, known)))}"))
    return set(lacks)


def _merged(shared: Sequence[dict[str, Any]], own: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The shared rows, each with what is said of it otherwise, then the rows that are nobody else's."""
    versions: dict[object, list[dict[str, Any]]] = {}
    for row in own:
        versions.setdefault(row.get("name"), []).append(row)
    merged = []
    for row in shared:
        merged += [{**row, **said} for said in versions.pop(row.get("name"), [{}])]
    return merged + [row for rows in versions.values() for row in rows]


def _reasoned(shared: Sequence[dict[str, Any]], own: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """A DBMS's own families; one with a shared family's name has its reason and its risk unless it says another."""
    of = {row.get("family"): {k: v for k, v in row.items() if k not in ("knobs", "since", "until")} for row in shared}
    return [{**of.get(row.get("family"), {}), **row} for row in own]
