"""Notices on their way: by mail through Airflow's smtp provider, and by a webhook."""

from __future__ import annotations

import json
import logging
import urllib.request
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from otterflow.errors import InvalidInput, Problem
from otterflow.experiment.notices import Mail, Notice

if TYPE_CHECKING:
    from airflow.sdk import Context

log = logging.getLogger(__name__)

TIMEOUT_S = 30.0


def send(notices: Sequence[Notice], message: dict[str, Any], context: Context) -> list[str]:
    """Send a message (`subject`, `text`, and more for webhooks) by each; which could not be sent, and by what error.

    One that cannot be sent does not keep the others back.
    """
    failed = []
    for notice in notices:
        try:
            if isinstance(notice, Mail):
                _mail(notice, message, context)
            else:
                _post(_url(notice.http_conn_id), message)
        except Exception as error:  # whatever a mail server or a web server may say
            log.exception("the notice by %s was not sent", notice.kind)
            failed.append(f"{notice.kind}: {type(error).__name__}")
    return failed


def _mail(notice: Mail, message: dict[str, Any], context: Context) -> None:
    from html import escape

    from airflow.providers.smtp.notifications.smtp import SmtpNotifier

    html = "<p>" + "<br>".join(escape(line) for line in message["text"].splitlines()) + "</p>"
    # The notifier takes both for templates, and a person's words or a server's may be in them.
    html, subject = html.replace("{", "&#123;"), message["subject"].replace("{", "(")
    SmtpNotifier(to=notice.to, subject=subject, html_content=html, smtp_conn_id=notice.smtp_conn_id).notify(context)


def _url(conn_id: str) -> tuple[str, str | None]:
    """The URL of a connection of type http, and the token that is its password."""
    from airflow.sdk import BaseHook

    found = BaseHook.get_connection(conn_id)
    host = found.host or ""
    if "://" not in host:
        host = f"{found.schema or 'https'}://{host}" + (f":{found.port}" if found.port else "")
    if not host.startswith(("http://", "https://")):
        raise InvalidInput(Problem(f"connection {conn_id!r}", f"host {host!r} is no web address", "give https://..."))
    return host, found.password


def _post(where: tuple[str, str | None], message: dict[str, Any]) -> None:
    url, token = where
    request = urllib.request.Request(  # noqa: S310 http and https only, see _url
        url, json.dumps(message).encode(), {"Content-Type": "application/json"}
    )
    if token:
        request.add_unredirected_header("Authorization", f"Bearer {token}")
    with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:  # noqa: S310
        answer.read(1024)
