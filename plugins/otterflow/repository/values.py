"""Checks at the repository's border.

Only finite numbers, JSON and storable text come in, so that whatever is read back is what was written, on SQLite and
on PostgreSQL alike.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from numbers import Integral, Real
from typing import Any, TypeVar

from otterflow.errors import InvalidInput, Problem
from otterflow.repository.records import JsonObject

AnyEnum = TypeVar("AnyEnum", bound=StrEnum)

LARGEST_INTEGER = 2**31 - 1
"""What an integer column holds on both databases."""

LARGEST_SEED = 2**63 - 1


def now() -> datetime:
    """The current time, in UTC."""
    return datetime.now(UTC)


def finite(field: str, value: float) -> float:
    """`value` as a float. Raises InvalidInput that names `field` for NaN, an infinity, or no number at all."""
    if isinstance(value, bool) or not isinstance(value, Real) or not math.isfinite(value):
        raise InvalidInput(Problem(field, f"{value!r}", "give a finite number"))
    return float(value)


def whole(field: str, value: int, *, most: int = LARGEST_INTEGER) -> int:
    """`value` as an int from 0 to `most`. Raises InvalidInput that names `field` otherwise."""
    if isinstance(value, bool) or not isinstance(value, Integral) or not 0 <= value <= most:
        raise InvalidInput(Problem(field, f"{value!r}", f"give a whole number from 0 to {most}"))
    return int(value)


def member(kind: type[AnyEnum], field: str, value: str) -> AnyEnum:
    """`value` as a member of the enum `kind`. Raises InvalidInput that names `field` and the known values."""
    try:
        return kind(value)
    except ValueError:
        raise InvalidInput(Problem(field, f"{value!r} is unknown", f"give one of {', '.join(kind)}")) from None


def text(value: str) -> str:
    """`value` without what PostgreSQL cannot store in a text: NUL characters and lone surrogates become U+FFFD.

    A server's log cut in the middle of a character, or read from a damaged file, holds such things.
    """
    clean = value.replace("\x00", "\ufffd")
    return "".join("\ufffd" if "\ud800" <= c <= "\udfff" else c for c in clean)


def plain(field: str, value: object) -> Any:
    """`value` as plain JSON: dict, list, str, int, float, bool, None.

    Tuples become lists and other number types (NumPy's) become int and float. Raises InvalidInput that names the
    place inside `field` for NaN, an infinity, a key that is no string, or what JSON does not know.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        return finite(field, float(value))
    if isinstance(value, list | tuple):
        return [plain(f"{field}[{i}]", item) for i, item in enumerate(value)]
    if isinstance(value, Mapping):
        return {_key(field, key): plain(f"{field}.{key}", item) for key, item in value.items()}
    raise InvalidInput(Problem(field, f"{value!r} is a {type(value).__name__}", "give what JSON can hold"))


def plain_object(field: str, value: Mapping[str, Any]) -> JsonObject:
    """`value` as a plain JSON object; raises InvalidInput as `plain` does, and for anything but an object."""
    if not isinstance(value, Mapping):
        raise InvalidInput(Problem(field, f"{value!r} is a {type(value).__name__}", "give a mapping"))
    return {_key(field, key): plain(f"{field}.{key}", item) for key, item in value.items()}


def _key(field: str, key: object) -> str:
    if isinstance(key, str):
        return str(key)
    raise InvalidInput(Problem(field, f"key {key!r} is a {type(key).__name__}", "give strings as keys"))


def content_hash(content: object) -> str:
    """SHA-256, in hex, of `content` as canonical JSON. 1, 1.0 and True are three contents: a knob's type counts."""
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def to_json(content: object) -> str:
    """JSON text for the database. `plain` has refused NaN before; `allow_nan=False` keeps it from ever slipping in."""
    return json.dumps(content, separators=(",", ":"), allow_nan=False)
