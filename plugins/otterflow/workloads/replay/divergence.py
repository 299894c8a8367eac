"""Whether two replays of one recording did the same work, so that their times may be compared.

A replay is judged against a replay of the baseline, never against the source: sequences, clocks and the order of
sessions make any replay differ from what was recorded. Where two replays differ by more than the limits, neither is the
better one: what they did cannot be judged.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from otterflow.workloads.replay.replayer.tally import LEAST_CALLS


@dataclass(frozen=True)
class Limits:
    """How far a replay may differ from the baseline's.

    `done` and `errors` are shares of the statements to send. A class differs if its rows do by more than `rows`, a
    share of the baseline's; `time` is the share of the baseline's time that such classes may have together.
    """

    done: float = 0.01
    errors: float = 0.005
    rows: float = 0.10
    time: float = 0.05


FEW_ERRORS, FEW_ROWS = 3, 10
"""So many more or fewer are chance, whatever the share."""
_MOST_TOLD = 5
_LIMITS = Limits()


def diverged(baseline: Mapping[str, Any], replay: Mapping[str, Any], limits: Limits = _LIMITS) -> list[str]:
    """What keeps a replay from being compared with the baseline's, in sentences; none where nothing does.

    Both are results as records, with `replay` and `types` as `otterflow.workloads.replay.output` has them. Classes with
    fewer than 15 calls in either are not looked at one by one.
    """
    before, now = baseline["replay"], replay["replay"]
    return [
        *_other_work(before, now),
        *_done(before["statements"], now["statements"], limits),
        *_errors(before, now, limits),
        *_rows(baseline, replay, limits),
    ]


def _other_work(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    for name in ("schedule", "factor"):
        if before[name] != now[name]:
            yield f"its {name} was {now[name]}, and the baseline's {before[name]}"
    asked, wanted = now["statements"]["to_send"], before["statements"]["to_send"]
    if asked != wanted:
        yield f"it had {asked} statements to send, and the baseline's {wanted}: that is another recording"


def _done(before: Mapping[str, Any], now: Mapping[str, Any], limits: Limits) -> Iterator[str]:
    if abs(now["done"] - before["done"]) > limits.done * before["to_send"]:
        yield f"{now['done']} statements were done, and {before['done']} in the baseline's"


def _errors(before: Mapping[str, Any], now: Mapping[str, Any], limits: Limits) -> Iterator[str]:
    most = max(FEW_ERRORS, limits.errors * before["statements"]["to_send"])
    for code in sorted({*before["errors"], *now["errors"]}):
        were, are = before["errors"].get(code, 0), now["errors"].get(code, 0)
        if abs(are - were) > most:
            yield f"{are} errors {code}, and {were} in the baseline's"


def _rows(baseline: Mapping[str, Any], replay: Mapping[str, Any], limits: Limits) -> Iterator[str]:
    classes, others = baseline.get("types", {}), baseline["replay"]["other_classes"]
    total = others["seconds"] + sum(each["seconds"] for each in classes.values())
    seconds, told = 0.0, []
    for name, before in classes.items():
        now = replay.get("types", {}).get(name)
        if now is None or min(before["transactions"], now["transactions"]) < LEAST_CALLS:
            continue
        if abs(now["rows"] - before["rows"]) > max(FEW_ROWS, limits.rows * before["rows"]):
            seconds += before["seconds"]
            told.append(f"{now['rows']:.0f} rows of class {name}, and {before['rows']:.0f} in the baseline's")
    if total and seconds > limits.time * total:
        yield f"classes with {seconds / total:.0%} of the time gave other rows: {', '.join(told[:_MOST_TOLD])}"
