"""Tells people what a night came to: by mail, or by a webhook."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from otterflow.errors import InvalidInput, MachineryFault, Problem
from otterflow.experiment.schedule import Mail, Notice
from otterflow.operators.check_window import night_of
from otterflow.operators.guard import ANYWHEN, Guarded

if TYPE_CHECKING:
    from airflow.sdk import Context

TIMEOUT_S = 30.0


class NotifyNightOperator(Guarded, BaseOperator):
    """Sends each of the schedule's notices. One that cannot be sent does not keep the others back, and fails the task.

    :param notices: by mail or webhook.
    """

    may = ANYWHEN
    ui_color = "#e8f4ea"

    def __init__(self, *, notices: Sequence[Notice], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.notices = tuple(notices)

    def execute(self, context: Context) -> None:
        """Send them."""
        night = night_of(context)
        row = context["ti"].xcom_pull(task_ids="summary")  # none where the night has no result
        message = said(night["experiment"], row)
        failed = []
        for notice in self.notices:
            try:
                if isinstance(notice, Mail):
                    _mail(notice, message, context)
                else:
                    _post(_url(notice.http_conn_id), message)
            except Exception as error:  # whatever a mail server or a web server may say
                self.log.exception("the notice by %s was not sent", notice.kind)
                failed.append(f"{notice.kind}: {type(error).__name__}")
        if failed:
            raise MachineryFault(f"notices were not sent ({', '.join(failed)}); the night itself is not touched by it")


def said(experiment: str, row: dict[str, Any] | None) -> dict[str, Any]:
    """The notice: a subject, a text, and the night's row for programs."""
    if row is None:
        text = f"{experiment} has no result. The log of the task 'summary' says why."
        return {"subject": f"otterflow: {experiment} needs a look", "text": text, "night": None}
    changed = f"\n\n{row['changed']}" if row.get("changed") else ""
    return {"subject": f"otterflow: {experiment}: {row['then']}", "text": row["verdict"] + changed, "night": row}


def _mail(notice: Mail, message: dict[str, Any], context: Context) -> None:
    from html import escape

    from airflow.providers.smtp.notifications.smtp import SmtpNotifier

    html = "<p>" + "<br>".join(escape(line) for line in message["text"].splitlines()) + "</p>"
    SmtpNotifier(to=notice.to, subject=message["subject"], html_content=html, smtp_conn_id=notice.smtp_conn_id).notify(
        context
    )


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
