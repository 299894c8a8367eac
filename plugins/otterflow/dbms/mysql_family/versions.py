"""Versions of the family as numbers. Both products count in three parts, and features come with the second.

A major version is 100 times the first part and the second: MariaDB 10.11 is 1011, MySQL 8.4 is 804.
"""

from __future__ import annotations

import re

from otterflow.errors import InvalidInput, Problem

_VERSION = re.compile(r"(?:5\.5\.5-)?(\d+)\.(\d+)\.(\d+)")
"""`5.5.5-` is put before MariaDB's version for old clients' sake."""


def number_of(text: str) -> int:
    """`10.11.19-MariaDB-0+deb12u1` as 101119. Raises InvalidInput for what is no version."""
    found = _VERSION.match(text)
    if found is None:
        raise InvalidInput(Problem("server", f"{text!r} is no version", "otterflow tunes MariaDB and MySQL"))
    first, second, third = map(int, found.groups())
    return (first * 100 + second) * 100 + third


def major_of(number: int) -> int:
    """101119 as 1011."""
    return number // 100


def shown(major: int) -> str:
    """1011 as `10.11`."""
    return f"{major // 100}.{major % 100}"
