"""Reads what the replayer left.

A result's `types` are the classes of statements, those with the most time: `transactions` (calls that ended well),
`errors`, `seconds`, `rows`, and latencies in ms, of the client; and `server_mean`, in ms, where the server told it.

Its `replay` has what a replay is judged by beside them: `schedule`, `factor`, `open_stream` (whether each transaction
was sent at its recorded time, as of a sample), `statements` (how many were `to_send`, `done`,
`skipped_after_an_error`, `not_sent`), `errors` by SQLSTATE, `lateness_ms`, `server_times`, the `replayer`'s own limits,
and in `other_classes` the sums over the classes that are not told. A mix is not judged so; its `replay` has
`mix`: what its `sample` was and what it `covers` of the recording, with what was left out by reason.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from otterflow.errors import BenchmarkFailed, NothingMeasured
from otterflow.measures.percentiles import told, untold
from otterflow.measures.result import LATENCIES, BenchmarkResult
from otterflow.workloads.replay.replayer.outcome import FORMAT
from otterflow.workloads.replay.replayer.settings import FAST

RESULT_FILE = "result.json"
MOST_CLASSES = 100
"""How many classes a trial keeps."""
_KEPT = ("schedule", "factor", "open_stream", "statements", "errors", "lateness_ms", "server_times", "replayer")


def read_result(text: str, log: str) -> BenchmarkResult:
    """The result of a replay.

    A transaction is one that ended well, a statement outside of a block among them; latencies are of statements.
    Raises BenchmarkFailed, with a sentence, for a replay that came to no end or did nothing, and NothingMeasured, for
    which no configuration is to blame, where the replayer could not begin or was itself the limit.
    """
    return _read(text, log, _result)


def read_mix(text: str, log: str) -> BenchmarkResult:
    """The result of a mix.

    Transactions are those that ended well within the time, a statement outside of a block among them; latencies are of
    transactions, at a given rate from when they were due. Raises as `read_result` does.
    """
    return _read(text, log, _mix)


def _read(text: str, log: str, result: Callable[[Mapping[str, Any]], BenchmarkResult]) -> BenchmarkResult:
    if not text.strip():
        raise NothingMeasured(f"the replay did not begin: {_last_line(log)}")
    try:
        record = json.loads(text)
        known = record["format"] == FORMAT
        return result(record) if known else _unknown_format(record["format"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BenchmarkFailed(f"the replayer's result is cut short, or none ({type(error).__name__})") from None


def _unknown_format(found: object) -> BenchmarkResult:
    raise BenchmarkFailed(f"the replayer's result has format {found!r}; this otterflow reads {FORMAT}")


def _result(record: Mapping[str, Any]) -> BenchmarkResult:
    statements, classes = record["statements"], record["classes"]
    if record["cut"] is not None:
        raise BenchmarkFailed(
            f"the replay was ended by {record['cut']} after {record['seconds']:g} s: {statements['not_sent']} of "
            f"{statements['to_send']} statements were not sent"
        )
    _check_driven(record)
    times = int(statements["done"]) - sum(record["errors"].values())
    rest = [*classes[MOST_CLASSES:], record["other_classes"]]
    server_time_absent = _why_no_server_time(record["server_times"])
    return BenchmarkResult(
        throughput=float(record["transactions_per_s"]) if record["schedule"] == FAST else None,
        latency_ms=told(_latencies(record["latency_ms"]), times),
        errors=sum(record["errors"].values()),
        transactions=int(record["transactions"]),
        seconds=float(record["seconds"]),
        total_time_s=float(record["statement_seconds"]),
        server_time_s=None if server_time_absent else float(record["server_times"]["seconds"]),
        types={each["class"]: _numbers(each) for each in classes[:MOST_CLASSES]},
        absent=untold(times) | ({"server_time": server_time_absent} if server_time_absent else {}),
        replay={
            **{name: record[name] for name in _KEPT},
            "other_classes": {name: sum(each[name] for each in rest) for name in ("calls", "seconds", "rows")},
        },
    )


def _why_no_server_time(server: Mapping[str, Any]) -> str:
    """Why the server's counters do not tell what all statements took; empty where they do."""
    if not server["read"]:
        return str(server["why_not"])
    if server["evicted"]:
        return (
            f"the server's statistics of statements have lost {server['evicted']} entries meanwhile; raise "
            "pg_stat_statements.max, or performance_schema_digests_size"
        )
    return "" if server["seconds"] > 0 else "the server has counted none of the statements"


def _numbers(one: Mapping[str, Any]) -> dict[str, float]:
    numbers = {
        "transactions": one["calls"],
        "errors": sum(one["errors"].values()),
        "seconds": one["seconds"],
        "rows": one["rows"],
        **told(_latencies(one["latency_ms"]), one["calls"]),
    }
    return numbers if one["server"] is None else {**numbers, "server_mean": one["server"]["mean_ms"]}


def _mix(record: Mapping[str, Any]) -> BenchmarkResult:
    if record["cut"] is not None:
        raise BenchmarkFailed(f"the mix was ended by {record['cut']} after {record['seconds']:g} s")
    _check_driven(record)
    transactions = int(record["transactions"])
    return BenchmarkResult(
        throughput=float(record["transactions_per_s"]) if record["rate"] is None else None,
        latency_ms=told(_latencies(record["transaction_ms"]), transactions),
        errors=sum(record["errors"].values()),
        transactions=transactions,
        seconds=float(record["seconds"]),
        types={each["class"]: _numbers(each) for each in record["classes"][:MOST_CLASSES]},
        absent=untold(transactions),
        replay={
            "mix": {name: record[name] for name in ("sample", "covers", "statements")},
            **{name: record[name] for name in ("errors", "lateness_ms", "server_times", "replayer")},
        },
    )


def _check_driven(record: Mapping[str, Any]) -> None:
    if not record["driven"]:
        why = "; ".join(record["not_driven"])
        raise NothingMeasured(f"the replayer was the limit, so its times say nothing of the server: {why}")


def _latencies(summary: Mapping[str, Any]) -> dict[str, float]:
    return {name: float(value) for name, value in summary.items() if name in LATENCIES}


def _last_line(log: str) -> str:
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    return lines[-1].removeprefix("replay: ") if lines else "it said nothing"
