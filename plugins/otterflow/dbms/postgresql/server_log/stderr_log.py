"""Reads the plain log (`stderr`), whose lines begin with the server's `log_line_prefix`.

The prefix must tell the time in milliseconds, the session and the database. A line that follows with a tab belongs to
the one above; DETAIL, CONTEXT and STATEMENT are lines of their own, with the prefix of the record that they belong to.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from otterflow.dbms.postgresql.server_log.clock import LogClock
from otterflow.dbms.postgresql.server_log.record import CUT, UNREADABLE, Damage, LogRecord
from otterflow.errors import InvalidInput, Problem

_SHAPES = {
    "m": r"(?P<m>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} \S+)",
    "n": r"(?P<n>\d+\.\d{3})",
    "t": r"(?P<t>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \S+)",
    "s": r"(?P<s>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \S+)",
    "c": r"(?P<c>[0-9a-f]+\.[0-9a-f]+)?",
    "p": r"(?P<p>\d+)",
    "v": r"(?P<v>(?:-?\d+/\d+)?)",
    "e": r"(?P<e>[0-9A-Z]{5})",
    "Q": r"(?P<Q>-?\d+)",
    "l": r"\d+", "x": r"\d+", "P": r"\d*", "%": "%",
}  # fmt: skip
_TEXTS = {"u": "u", "d": "d", "b": "b", "a": "", "h": "", "r": "", "i": "", "L": ""}
_SEVERITY = r"(?P<severity>[^\s:]+): {1,2}"
_BELONGING = {"DETAIL": "detail", "CONTEXT": "context", "STATEMENT": "query", "HINT": "", "QUERY": "", "LOCATION": ""}
_TIME_NEEDED = ("m", "n")


class LinePrefix:
    """The server's `log_line_prefix` as a pattern. Raises InvalidInput for one that tells too little."""

    def __init__(self, prefix: str) -> None:
        before, marked, after = _split_at_q(prefix)
        self.pattern = re.compile(_pattern(before) + (f"(?:{_pattern(after)})?" if marked else "") + _SEVERITY)
        names = set(self.pattern.groupindex)
        missing = [] if names & set(_TIME_NEEDED) else ["the time in milliseconds (%m or %n)"]
        missing += [] if names & {"c", "p"} else ["the session (%c)"]
        missing += [] if "d" in names else ["the database (%d)"]
        if missing:
            raise InvalidInput(
                Problem(
                    "log_line_prefix", f"{prefix!r} does not tell {', '.join(missing)}",
                    "set log_line_prefix = '%m|%u|%d|%c|%v|%e|%Q|' on the server, or record from csvlog",
                )
            )  # fmt: skip


def read_stderr_log(lines: Iterable[bytes], prefix: LinePrefix, clock: LogClock, damage: Damage) -> Iterator[LogRecord]:
    """The records of one file's lines. A line without the prefix (a library's own words) is counted in `damage`."""
    held: LogRecord | None = None
    for message, found, time_s in _messages(lines, prefix, clock, damage):
        severity = found["severity"]
        field = _BELONGING.get(severity)
        if field is not None:
            if held is not None and field and not getattr(held, field):
                held = _with(held, field, message)
            continue
        if held is not None:
            yield held
        held = _record(found.groupdict(), time_s, message, clock)
    if held is not None:
        yield held


def _messages(
    lines: Iterable[bytes], prefix: LinePrefix, clock: LogClock, damage: Damage
) -> Iterator[tuple[str, re.Match[str], float]]:
    """Each message whole, with its prefix and its time."""
    held: list[str] = []
    head: tuple[re.Match[str], float] | None = None
    for raw in lines:
        line = raw.decode("utf-8", "surrogateescape")
        if not line.endswith("\n"):
            damage.add(CUT)
            head = None if line.startswith("\t") else head
            break
        if line.startswith("\t"):
            held.append(line[1:])
            continue
        found = prefix.pattern.match(line)
        if found is None:
            damage.add(UNREADABLE)
            continue
        if head is not None:
            yield "".join(held)[:-1], *head
        time_s = float(found["n"]) if "n" in found.re.groupindex else clock.seconds(found["m"])
        damage.reached(time_s)
        head, held = (found, time_s), [line[found.end() :]]
    if head is not None:
        yield "".join(held)[:-1], *head


def _record(parts: dict[str, str | None], time_s: float, message: str, clock: LogClock) -> LogRecord:
    given = {name: value or "" for name, value in parts.items()}
    return LogRecord(
        time_s, given.get("c") or given.get("p", ""), given["d"], given["severity"], message, given.get("u", ""),
        clock.seconds(given["s"]) if given.get("s") else None, given.get("v", ""), given.get("e", ""),
        backend_type=given.get("b", ""), query_id=given.get("Q", ""),
    )  # fmt: skip


def _with(record: LogRecord, field: str, message: str) -> LogRecord:
    if field == "detail":
        return record._replace(detail=message)
    return record._replace(context=message) if field == "context" else record._replace(query=message)


def _split_at_q(prefix: str) -> tuple[str, bool, str]:
    """The prefix before and after `%q`, where processes without a session stop."""
    found = re.search(r"(?<!%)(?:%%)*(%q)", prefix)
    return (prefix[: found.start(1)], True, prefix[found.end(1) :]) if found else (prefix, False, "")


def _pattern(prefix: str) -> str:
    out: list[str] = []
    for piece in re.findall(r"%-?\d*[A-Za-z%]|[^%]+|%", prefix):
        name = piece[-1]
        if not piece.startswith("%") or piece == "%":
            out.append(re.escape(piece))
        elif name in _SHAPES:
            out.append(" *" * (len(piece) > 2) + _SHAPES[name] + " *" * (len(piece) > 2))
        elif name in _TEXTS:
            out.append(f"(?P<{_TEXTS[name]}>.*?)" if _TEXTS[name] else ".*?")
        else:
            out.append(r"\S*?")
    return "".join(out)
