"""What real servers said, byte by byte: a login and some statements of each, in `captured/`."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from otterflow.workloads.replay.replayer.answers import Access, Outcome
from otterflow.workloads.replay.replayer.mysql_family import wire
from otterflow.workloads.replay.replayer.mysql_family.login import Login
from tests.workloads.replay.mysql_family.test_connection import SIZES, Wire, answered, opened

CAPTURED = Path(__file__).parent / "captured"
NAMES = sorted(path.stem for path in CAPTURED.glob("*.json"))


def _record(name: str) -> dict[str, Any]:
    record: dict[str, Any] = json.loads((CAPTURED / f"{name}.json").read_text())
    return record


def _bodies(stream: bytes) -> list[bytes]:
    """The packets of a stream, none of which is long."""
    bodies = []
    while stream:
        end = 4 + int.from_bytes(stream[:3], "little")
        bodies.append(stream[4:end])
        stream = stream[end:]
    return bodies


def test_each_server_is_there() -> None:
    assert NAMES == ["mariadb-10", "mariadb-11", "mysql-9"]


@pytest.mark.parametrize("name", NAMES)
def test_logging_in(name: str) -> None:
    record = _record(name)
    sent = [bytes.fromhex(data) for kind, data in record["login"] if kind == "sent"]
    said = b"".join(bytes.fromhex(data) for kind, data in record["login"] if kind == "said")

    async def work() -> None:
        transport = Wire()
        access = Access("127.0.0.1", 3306, record["user"], record["database"], record["password"], "disable")
        login = Login(access, asyncio.Protocol())
        for number, body in enumerate(_bodies(said)):
            login.take(2 * number, body)
        _, greeting = await asyncio.wait_for(login.run(transport), 10)
        assert greeting.version == record["version"]
        assert transport.written == sent[:1]
        assert sent[1:] == [wire.query(wire.set_session({}))]

    asyncio.run(work())


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", NAMES)
def test_statements(name: str, size: int) -> None:
    async def work() -> None:
        connection, _ = opened()
        for statement in _record(name)["statements"]:
            outcome = await answered(connection, bytes.fromhex(statement["said"]), size=size)
            assert outcome == Outcome(statement["rows"], statement["error"]), statement["text"]
            assert connection.status == statement["status"], statement["text"]
            assert connection.error_number == statement["number"], statement["text"]

    asyncio.run(work())
