"""Tells people what the file of notices asks for, each thing once: Airflow's notifier of otterflow's events."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from airflow.sdk import BaseNotifier

from otterflow import settings
from otterflow.errors import InvalidInput, OtterflowError
from otterflow.experiment.notices import Event, Message, load_notices, of_experiment, of_fault
from otterflow.operators.connections import open_repository
from otterflow.operators.sending import send

if TYPE_CHECKING:
    from airflow.sdk import Context

    from otterflow.experiment.notices import Notice
    from otterflow.repository import Repository

log = logging.getLogger(__name__)


class EventNotifier(BaseNotifier):
    """Sends the notices of an event. Whatever keeps it from that is logged, and keeps nothing else back.

    :param event: `experiment_ended` as a task's success callback, `machinery_fault` as a Dag's failure callback.
    """

    def __init__(self, event: Event) -> None:
        super().__init__()
        self.event = event

    def notify(self, context: Context) -> None:
        """Say it, unless it was said."""
        if not _asked_for(self.event):
            return
        try:
            repository = open_repository()
            tell(repository, self.event, self.message(repository, context), context)
        except OtterflowError:
            log.exception("nobody was told of %s", self.event)

    def message(self, repository: Repository, context: Context) -> Message:
        """What is said."""
        if self.event is Event.experiment_ended:
            return of_experiment(repository.experiment(str(context["params"]["experiment"])))
        if self.event is Event.machinery_fault:
            began = getattr(context.get("dag_run"), "start_date", None)  # a run that is cleared begins anew
            dag_id, run_id = context["dag"].dag_id, str(context["run_id"])
            return of_fault(dag_id, run_id, began.isoformat() if began else "", str(context.get("reason") or ""))
        raise NotImplementedError(self.event)


def tell(repository: Repository, event: Event, message: Message, context: Context) -> None:
    """Send a message by the notices of its event, unless that was done.

    A notice that cannot be sent is logged: what it tells of is done, and is not to be undone for it. If none of them
    could be sent, the next try sends it.
    """
    notices = _asked_for(event)
    if not notices or not repository.begin_notice(message.key):
        return
    failed = send(notices, message.record(), context)
    if len(failed) == len(notices):
        repository.forget_notice(message.key)


def _asked_for(event: Event) -> tuple[Notice, ...]:
    """The notices of an event; none, and a line in the log, where the file of notices is wrong."""
    try:
        return load_notices(settings.notices_file()).of(event)
    except InvalidInput as error:
        log.error("nobody is told of %s, for the file of notices is wrong: %s", event, error)
        return ()
