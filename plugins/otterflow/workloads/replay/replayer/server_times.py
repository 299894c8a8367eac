"""How long the server itself worked at each statement class: what it counted between two looks.

A client's time of a fast statement is mostly its own: 0.04 ms read 0.2 to 0.45 ms. Nothing is reset, so that whoever
else reads these statistics is not disturbed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

RESET = "the server's statistics of statements were reset while the replay ran"


class ServerTime(NamedTuple):
    """Executions that ended well, and the milliseconds that the server spent executing them."""

    calls: int
    total_ms: float


@dataclass
class Counters:
    """What the server has counted so far, by its own names; `why_not` says in a sentence why it cannot be read."""

    times: dict[str, ServerTime] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    evicted: int = 0
    why_not: str | None = None


@dataclass
class ServerTimes:
    """The server's times of a run by statement class. `evicted` entries went while it ran, and their counts with them.

    `ambiguous` statements fit several classes and are in none.
    """

    classes: dict[str, ServerTime] = field(default_factory=dict)
    evicted: int = 0
    ambiguous: int = 0
    why_not: str | None = None

    def to_record(self) -> dict[str, object]:
        """The whole, without the classes."""
        return {
            "read": self.why_not is None,
            "why_not": self.why_not,
            "classes": len(self.classes),
            "seconds": round(sum(each.total_ms for each in self.classes.values()) / 1000, 6),
            "evicted": self.evicted,
            "ambiguous": self.ambiguous,
        }

    def record_of(self, name: str) -> dict[str, float] | None:
        """The times of one class; None where the server told none."""
        one = self.classes.get(name)
        if one is None:
            return None
        return {
            "calls": one.calls,
            "seconds": round(one.total_ms / 1000, 6),
            "mean_ms": round(one.total_ms / one.calls, 6),
        }


def times_between(
    before: Counters, after: Counters, shapes: Mapping[str, str], fingerprint: Callable[[str], str]
) -> ServerTimes:
    """The server's times between two looks. `shapes` has each class's name with its text's `fingerprint`."""
    why_not = before.why_not or after.why_not
    if why_not is not None:
        return ServerTimes(why_not=why_not)
    by_shape: defaultdict[str, list[str]] = defaultdict(list)
    for name, shape in shapes.items():
        by_shape[shape].append(name)
    found = ServerTimes(evicted=after.evicted - before.evicted)
    for query_id, now in after.times.items():
        was = before.times.get(query_id, ServerTime(0, 0.0))
        calls, total_ms = now.calls - was.calls, now.total_ms - was.total_ms
        if calls < 0:
            return ServerTimes(why_not=RESET)
        if calls == 0:
            continue
        names = [query_id] if query_id in shapes else by_shape.get(fingerprint(after.texts.get(query_id, "")), [])
        if len(names) == 1:
            so_far = found.classes.get(names[0], ServerTime(0, 0.0))
            found.classes[names[0]] = ServerTime(so_far.calls + calls, so_far.total_ms + total_ms)
        elif names:
            found.ambiguous += 1
    return found
