"""Who is told of what: the file `include/notices.yaml`, and what a notice says."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from otterflow.yaml_files import read_model

if TYPE_CHECKING:
    from otterflow.repository import Experiment, Promotion


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Mail(_Strict):
    """A notice by mail, through an Airflow connection of type smtp."""

    kind: Literal["mail"]
    to: Annotated[str, Field(pattern=r"^[^@\s,]+@[^@\s,]+$")]
    smtp_conn_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+$")] = "smtp_default"


class Webhook(_Strict):
    """A notice as JSON to the URL of an Airflow connection of type http, which may hold a secret."""

    kind: Literal["webhook"]
    http_conn_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+$")]


Notice = Annotated[Mail | Webhook, Field(discriminator="kind")]


class Event(StrEnum):
    """What people can be told of."""

    experiment_ended = "experiment_ended"
    proposal_waiting = "proposal_waiting"
    machinery_fault = "machinery_fault"
    rolled_back = "rolled_back"


class Notices(_Strict):
    """Whom to tell, and of what: of everything unless `about` names less."""

    notify: tuple[Notice, ...] = ()
    about: tuple[Event, ...] = tuple(Event)

    def of(self, event: Event) -> tuple[Notice, ...]:
        """The notices of an event."""
        return self.notify if event in self.about else ()


def load_notices(path: Path) -> Notices:
    """Read and check the file; nobody is told of anything where it is not there. Raises InvalidInput."""
    if not path.exists():
        return Notices()
    return read_model(Notices, path, field="notices", plural="files", example="docs/production.md for an example")


@dataclass(frozen=True)
class Message:
    """A notice: `key` tells it from all others, so that it is sent once."""

    key: str
    subject: str
    text: str

    def record(self) -> dict[str, Any]:
        """As a webhook gets it."""
        return {"subject": self.subject, "text": self.text, "key": self.key}


def of_experiment(experiment: Experiment) -> Message:
    """An experiment has ended with a result."""
    result = experiment.outcome or {}
    text = str(result.get("verdict") or experiment.finished_because or experiment.state.value)
    key = f"experiment/{experiment.name}/{experiment.comparison}"
    return Message(key, f"otterflow: experiment {experiment.name} has ended", text)


def of_question(promotion: Promotion, subject: str, link: str) -> Message:
    """A promotion waits for an answer."""
    key = f"promotion/{promotion.id}/waiting/{promotion.proposed_at.isoformat()}"
    by = f" Asked by {promotion.asked_by}." if promotion.asked_by else ""
    return Message(key, f"otterflow: {subject}", f"{subject}{by} Read it and answer: {link}")


def of_rollback(promotion: Promotion) -> Message:
    """A promotion was rolled back."""
    key = f"promotion/{promotion.id}/rolled_back"
    subject = f"otterflow: promotion {promotion.id} on {promotion.target} was rolled back"
    return Message(key, subject, promotion.message or subject)


def of_fault(dag_id: str, run_id: str, began: str, reason: str) -> Message:
    """A run that `began` then has failed, which no configuration does."""
    said = f"run {run_id} of {dag_id} has failed"
    text = f"{said} ({reason or 'no reason given'}); the log of its failed task says why."
    return Message(f"fault/{dag_id}/{run_id}/{began}", f"otterflow: {said}", text)
