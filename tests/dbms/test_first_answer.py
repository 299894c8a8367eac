from __future__ import annotations

import socket
import threading

import pytest

from otterflow.dbms.postgresql.first_answer import ASKS, LETS_IN, first_answer, is_refusal
from stack.processes import free_port

GERMAN = b"SFATAL\0VFATAL\0C57P03\0Mdas Datenbanksystem startet\0\0"


def message(kind: bytes, body: bytes) -> bytes:
    return kind + (len(body) + 4).to_bytes(4, "big") + body


def answered(*messages: bytes) -> str | None:
    """What is told of a server that sends these messages and hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                assert b"user\0me\0database\0bench\0" in connection.recv(1000)
                connection.sendall(b"".join(messages))

        thread = threading.Thread(target=serve)
        thread.start()
        found = first_answer("127.0.0.1", server.getsockname()[1], "me", "bench", timeout_s=5)
        thread.join()
    return found


@pytest.mark.parametrize(
    ("messages", "answer", "refusal"),
    [
        ([message(b"E", GERMAN)], "57P03", False),
        ([message(b"E", GERMAN.replace(b"57P03", b"53300"))], "53300", False),
        ([message(b"E", GERMAN.replace(b"57P03", b"28000"))], "28000", True),
        ([message(b"R", bytes(4)), message(b"E", GERMAN.replace(b"57P03", b"3D000"))], "3D000", True),
        ([message(b"R", b"\0\0\0\x0aSCRAM-SHA-256\0\0")], ASKS, True),
        ([message(b"R", bytes(4)), message(b"S", b"a\0b\0"), message(b"Z", b"I")], LETS_IN, False),
        ([b"HTTP/1.1 400 Bad Request\r\n\r\n"], None, False),
        ([], None, False),
    ],
)
def test_a_refusal_is_told_from_a_server_that_is_busy_in_any_language(
    messages: list[bytes], answer: str | None, refusal: bool
) -> None:
    found = answered(*messages)
    assert (found, is_refusal(found)) == (answer, refusal)


def test_nobody_answers() -> None:
    assert first_answer("127.0.0.1", free_port(), "me", "bench", timeout_s=1) is None
    assert first_answer("/nowhere", 5432, "me", "bench", timeout_s=1) is None
