"""A trial begins with an empty buffer pool, whatever ran before it.

A server of the family writes down which pages its pool holds when it stops, and reads them in again when it starts: a
trial would begin with its predecessor's pages, and its warm-up would compete with the reading. Both are off in the
knobs file of a trial and in no other, so what was in force before is in force again when the experiment has ended; and
the list of pages stays the one that the server wrote before the first trial.

Source: https://dev.mysql.com/doc/refman/8.4/en/innodb-preload-buffer-pool.html.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from otterflow.dbms.mysql_family.option_file import GROUP
from otterflow.dbms.mysql_family.origins import Origins
from otterflow.dbms.mysql_family.read_back import persisted_advice
from otterflow.dbms.mysql_family.reading_order import Reading
from otterflow.errors import Problem
from otterflow.knobs.setting import LiveSetting

SWITCHES = ("innodb_buffer_pool_dump_at_shutdown", "innodb_buffer_pool_load_at_startup")
_LINES = (
    "# During trials alone: each begins with an empty buffer pool.",
    f"[{GROUP}]",
    *(f"{name} = OFF" for name in SWITCHES),
)
_WHY = "with it a trial begins with the pages of the one before"
_ON = ("1", "on", "true")


def as_measured(text: str) -> str:
    """The knobs file of a trial: its text, and the lines that have the pool begin empty."""
    kept = text if not text or text.endswith("\n") else f"{text}\n"
    return kept + "".join(f"{line}\n" for line in _LINES)


def kept_on(live: Mapping[str, LiveSetting], origins: Origins, persisted: Iterable[Mapping[str, Any]]) -> list[Problem]:
    """What the server itself tells of a switch that the knobs file of a trial cannot turn off."""
    kept = {row["name"]: str(row["value"]).lower() for row in persisted}
    problems = []
    for name in sorted(live.keys() & SWITCHES):
        if kept.get(name) in _ON:
            found = f"is persisted as on, which wins over every option file; {_WHY}"
            problems.append(Problem(name, found, persisted_advice(name)))
        elif live[name].source in origins.command_line and live[name].value:
            problems.append(Problem(name, f"is on by the server's command line; {_WHY}", f"remove {name} there"))
    return problems


def turned_on_later(reading: Reading, knobs_file: str) -> list[Problem]:
    """Lines of other files that are read after the knobs file and turn a switch on."""
    return [
        Problem(
            line.name,
            f"is turned on in {path} line {line.number}, read after {knobs_file}; {_WHY}",
            f"move the line before the one that includes {knobs_file}, or remove it",
        )
        for path, line in reading.after_knobs
        if line.is_the_servers and line.name in SWITCHES and line.value.lower() in _ON
    ]
