"""A night's notices reach a real mail server and a real web server."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import SimpleNamespace
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from otterflow.errors import MachineryFault
from otterflow.experiment.notices import Mail, Webhook
from otterflow.operators.notify_night import NotifyNightOperator
from stack.processes import free_port

pytestmark = [pytest.mark.integration, pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")]

ROW = {"then": "installed", "verdict": "best <is> in force: 120 instead of 100.", "changed": None, "winner": "best"}
MAIL, WEBHOOK = Mail(kind="mail", to="dba@example.org"), Webhook(kind="webhook", http_conn_id="hook")


class Inbox:
    """What an SMTP server has been sent."""

    def __init__(self) -> None:
        self.mails: list[Any] = []
        self.users: list[bytes] = []
        self.answer = "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        self.mails.append((envelope.rcpt_tos, message_from_bytes(envelope.content)))
        return self.answer

    def login(self, server: Any, session: Any, envelope: Any, mechanism: str, given: Any) -> AuthResult:
        self.users.append(given.login)
        return AuthResult(success=given.password == b"s3cret")


@pytest.fixture
def inbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Inbox]:
    monkeypatch.setattr("socket.getfqdn", lambda name="": "localhost")  # both ends ask DNS who they are
    inbox, port = Inbox(), free_port()
    server = Controller(
        inbox, hostname="127.0.0.1", port=port, authenticator=inbox.login, auth_require_tls=False, auth_required=True
    )
    server.start()
    extra = {"from_email": "otterflow@example.org", "disable_ssl": True, "disable_tls": True}
    connection = {"conn_type": "smtp", "host": "127.0.0.1", "port": port, "login": "otter", "password": "s3cret"}
    monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", json.dumps(connection | {"extra": extra}))
    yield inbox
    server.stop()


class Posts(HTTPServer):
    """A web server that keeps what it was sent, and answers as it is told."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.got: list[tuple[str, str | None, Any]] = []
        self.answer = 204


class _Handler(BaseHTTPRequestHandler):
    server: Posts

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.got.append((self.path, self.headers["Authorization"], body))
        self.send_response(self.server.answer)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Nothing on standard error."""


@pytest.fixture
def posts(monkeypatch: pytest.MonkeyPatch) -> Iterator[Posts]:
    server = Posts()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    connection = {
        "conn_type": "http", "schema": "http", "host": "127.0.0.1", "port": server.server_port, "password": "t0ken",
    }  # fmt: skip
    monkeypatch.setenv("AIRFLOW_CONN_HOOK", json.dumps(connection))
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def notify(row: dict[str, Any] | None) -> None:
    returned = {"check_window": {"experiment": "staging-20261120"}, "summary": row}
    ti = SimpleNamespace(xcom_pull=lambda task_ids: returned[task_ids])
    task = NotifyNightOperator(task_id="notify", notices=(MAIL, WEBHOOK))
    task.execute({"ti": ti})  # type: ignore[typeddict-item]


def test_a_night_is_told_by_mail_and_webhook(inbox: Inbox, posts: Posts) -> None:
    notify(ROW)
    ((to, mail),) = inbox.mails
    assert to == ["dba@example.org"]
    assert mail["Subject"] == "otterflow: staging-20261120: installed"
    text = "".join(part.get_payload(decode=True).decode() for part in mail.walk() if not part.is_multipart())
    assert "best &lt;is&gt; in force: 120 instead of 100." in text
    assert inbox.users == [b"otter"]
    ((path, token, body),) = posts.got
    assert (path, token) == ("/", "Bearer t0ken")
    assert body == {"subject": mail["Subject"], "text": ROW["verdict"], "night": ROW}


def test_a_night_without_a_result_asks_for_a_look(inbox: Inbox, posts: Posts) -> None:
    notify(None)
    assert inbox.mails[0][1]["Subject"] == "otterflow: staging-20261120 needs a look"
    assert posts.got[0][2]["night"] is None


def test_a_server_that_refuses_keeps_the_other_notice_from_nothing_and_no_secret_is_told(
    inbox: Inbox, posts: Posts, caplog: pytest.LogCaptureFixture
) -> None:
    posts.answer = 500
    with pytest.raises(MachineryFault, match="were not sent \\(webhook: HTTPError\\)"):
        notify(ROW)
    assert len(inbox.mails) == 1
    posts.answer = 204
    inbox.answer = "554 no spam"
    with pytest.raises(MachineryFault, match="were not sent \\(mail: SMTP"):
        notify(ROW)
    assert len(posts.got) == 2
    assert not any(secret in caplog.text for secret in ("s3cret", "t0ken"))
