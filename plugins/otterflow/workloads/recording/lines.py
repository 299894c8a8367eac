"""A statement as a line of JSON and back.

A line that is not as the format says is refused by its number and the key; what stands there is the user's data and is
never part of a message.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

from otterflow.dbms.statement import Statement
from otterflow.errors import InvalidInput, Problem

_Check = Callable[[Any], bool]


def encode(statement: Statement) -> bytes:
    """The statement as one line; what is not known is left out."""
    record: dict[str, object] = {"session": statement.session, "at_s": round(statement.at_s, 6)}
    if statement.transaction is not None:
        record["transaction"] = statement.transaction
    record["text"] = statement.text
    if statement.parameters is not None:
        record["parameters"] = statement.parameters
    for key, value in (
        ("prepared", statement.prepared),
        ("duration_ms", statement.duration_ms),
        ("rows", statement.rows),
        ("error", statement.error),
        ("class", statement.statement_class),
    ):
        if value is not None:
            record[key] = value
    return json.dumps(record, separators=(",", ":")).encode("ascii") + b"\n"


def decode(line: bytes, number: int) -> Statement:
    """The statement of a line. Raises InvalidInput that names the line by `number` and the key."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        raise _wrong(number, "", "it is no JSON", "a line is one JSON object") from None
    if not isinstance(record, dict):
        raise _wrong(number, "", "it is no JSON object", "a line is one JSON object")
    for key, (is_right, what) in _KEYS.items():
        if key in record and record[key] is None and key not in _NEEDED:
            continue
        if key not in record and key not in _NEEDED:
            continue
        if not is_right(record.get(key)):
            found = f"{_kind(record[key])} is there" if key in record else "it is missing"
            raise _wrong(number, key, found, f"it must be {what}")
    if len(record) > len(_KEYS) or not record.keys() <= _KEYS.keys():
        raise _wrong(number, "", "it has a key that the format does not know", f"the keys are {', '.join(_KEYS)}")
    parameters = record.get("parameters")
    return Statement(
        record["session"],
        float(record["at_s"]),
        record["text"],
        record.get("transaction"),
        None if parameters is None else tuple(parameters),
        record.get("prepared"),
        record.get("duration_ms"),
        record.get("rows"),
        record.get("error"),
        record.get("class"),
    )


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_name(value: object) -> bool:
    return isinstance(value, str) and value != ""


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_time(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value) and value >= 0


def _are_parameters(value: object) -> bool:
    return isinstance(value, list) and all(item is None or isinstance(item, str) for item in value)


def _is_sqlstate(value: object) -> bool:
    return isinstance(value, str) and len(value) == 5 and value.isascii() and value.isalnum()


_NEEDED = frozenset({"session", "at_s", "text"})
_KEYS: dict[str, tuple[_Check, str]] = {
    "session": (_is_name, "a name"),
    "at_s": (_is_time, "seconds since the interval's start, from 0 up"),
    "transaction": (_is_count, "a whole number from 0 up"),
    "text": (_is_text, "a string"),
    "parameters": (_are_parameters, "a list of strings and nulls"),
    "prepared": (_is_name, "a name"),
    "duration_ms": (_is_time, "milliseconds from 0 up"),
    "rows": (_is_count, "a whole number from 0 up"),
    "error": (_is_sqlstate, "an SQLSTATE, which has five characters"),
    "class": (_is_name, "a name"),
}


def _kind(value: object) -> str:
    """What a value is, without the value."""
    names = {dict: "an object", list: "a list", str: "a string", bool: "a truth value", type(None): "null"}
    return names.get(type(value), "a number out of range")


def _wrong(number: int, key: str, found: str, advice: str) -> InvalidInput:
    return InvalidInput(Problem(f"line {number}" + (f", {key}" if key else ""), found, advice))
