"""What a record's message says of a statement: its text, its values, its duration, and the step of the protocol.

PostgreSQL writes `duration: 0.1 ms  execute name: text`, with the values in the detail: `parameters: $1 = '5'` up to
release 16 and `Parameters: $1 = '5'` from 17 on.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from otterflow.errors import InvalidInput, Problem

STATEMENT, EXECUTE, PARSE, BIND, FETCH, DURATION = "statement", "execute", "parse", "bind", "fetch", "duration"

_DURATION = re.compile(r"duration: (\d+\.\d+) ms(?:  |$)")
_FOREIGN = re.compile(r"(?!duration:)[^\s:]+: \d+\.\d{3} ms(?:  |$)")
_STEP = re.compile(r"(statement|execute fetch from|execute|parse|bind)(?: (.*?))?: ", re.DOTALL)
_PORTAL = re.compile(r"(?:unnamed portal|portal \"(?:[^\"]*)\"|.*?) with parameters: ", re.DOTALL)
_UNNAMED = "<unnamed>"


class Said(NamedTuple):
    """A message about a statement. `step` is one of the words above; `duration_ms` is None where it was not told."""

    step: str
    duration_ms: float | None
    name: str | None
    text: str


def read_message(message: str) -> Said | None:
    """What the message says of a statement, None for a message about anything else.

    Raises InvalidInput for the message of a server that speaks another language.
    """
    duration = _DURATION.match(message)
    if duration is None and _FOREIGN.match(message):
        raise InvalidInput(
            Problem("lc_messages", "the log is not in English", "set lc_messages = 'C' on the server, and record again")
        )
    at = duration.end() if duration else 0
    duration_ms = float(duration[1]) if duration else None
    found = _STEP.match(message, at)
    if found is None:
        return Said(DURATION, duration_ms, None, "") if duration and at == len(message) else None
    step = FETCH if found[1] == "execute fetch from" else found[1]
    if (step == STATEMENT) is not (found[2] is None):
        return None
    name = None if found[2] is None else found[2].partition("/")[0]
    return Said(step, duration_ms, None if name == _UNNAMED else name, message[found.end() :])


def parameters_of(detail: str) -> tuple[str | None, ...] | None:
    """The values of a detail that begins with `parameters: ` or `Parameters: `, None for another one."""
    head = detail[:12].lower()
    return _values(detail, 12) if head == "parameters: " else None


def parameters_of_context(context: str) -> tuple[str | None, ...] | None:
    """The values that an error's context tells (`log_parameter_max_length_on_error`), None where it tells none."""
    found = _PORTAL.match(context) if " with parameters: " in context else None
    return _values(context, found.end()) if found else None


def _values(text: str, at: int) -> tuple[str | None, ...] | None:
    """`$1 = 'it''s', $2 = NULL` from place `at`; None where it is not so."""
    values: list[str | None] = []
    while text.startswith(f"${len(values) + 1} = ", at):
        at = text.index("=", at) + 2
        if text.startswith("NULL", at):
            values.append(None)
            at += 4
        else:
            value, at = _quoted(text, at)
            if value is None:
                return None
            values.append(value)
        if not text.startswith(", ", at):
            break
        at += 2
    return tuple(values)


def _quoted(text: str, at: int) -> tuple[str | None, int]:
    """The value between the quotation marks at `at`, and the place behind it."""
    if not text.startswith("'", at):
        return None, at
    for marks in _MARKS.finditer(text, at + 1):
        if (marks.end() - marks.start()) % 2:
            return text[at + 1 : marks.end() - 1].replace("''", "'"), marks.end()
    return None, at


_MARKS = re.compile("'+")
