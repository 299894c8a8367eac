"""What the file of notices asks for is told once, by real mail and a real web server; nothing fails for it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from airflow.sdk import DAG

from otterflow.errors import InvalidInput
from otterflow.experiment.notices import Event, Message, Notices, load_notices, of_question, of_rollback
from otterflow.operators.connections import open_repository
from otterflow.operators.notices import EventNotifier, tell
from otterflow.repository import Repository
from tests.operators.test_notices import Inbox, Posts
from tests.operators.test_notices import inbox as inbox
from tests.operators.test_notices import posts as posts
from tests.repository.samples import new_experiment

pytestmark = [pytest.mark.integration, pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")]

FILE = {"notify": [{"kind": "mail", "to": "dba@example.org"}, {"kind": "webhook", "http_conn_id": "hook"}]}


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    monkeypatch.setenv("OTTERFLOW_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("OTTERFLOW_NOTICES", str(tmp_path / "notices.yaml"))
    (tmp_path / "notices.yaml").write_text(yaml.safe_dump(FILE))
    return open_repository()


def failed_run(hour: int = 0) -> Any:
    """What Airflow's Dag processor hands a Dag's callback: a run that began at that hour."""
    run = SimpleNamespace(start_date=datetime(2026, 11, 30, hour, tzinfo=UTC))
    return {
        "dag": DAG("tuning_iteration", schedule=None),
        "run_id": "four-0002",
        "dag_run": run,
        "reason": "task_failure",
    }


def test_the_end_of_an_experiment_is_told_once_and_again_after_a_resume(
    repository: Repository, inbox: Inbox, posts: Posts
) -> None:
    repository.create_experiment(new_experiment("four"))
    repository.record_outcome("four", {"verdict": "best is in force."})
    context: Any = {"params": {"experiment": "four"}}
    for _ in range(3):
        EventNotifier(Event.experiment_ended).notify(context)
    ((to, mail),) = inbox.mails
    assert (to, mail["Subject"]) == (["dba@example.org"], "otterflow: experiment four has ended")
    ((_, _, body),) = posts.got
    assert (body["text"], body["key"]) == ("best is in force.", "experiment/four/1")


def test_a_run_that_is_red_is_told_once_and_again_when_it_was_cleared(
    repository: Repository, inbox: Inbox, posts: Posts
) -> None:
    for hour in (0, 0, 1):
        EventNotifier(Event.machinery_fault).notify(failed_run(hour))
    keys = [body["key"] for _, _, body in posts.got]
    assert keys == [f"fault/tuning_iteration/four-0002/2026-11-30T0{n}:00:00+00:00" for n in (0, 1)]
    assert "run four-0002 of tuning_iteration has failed (task_failure)" in posts.got[0][2]["text"]


def test_one_that_cannot_be_sent_fails_nothing_and_is_tried_again_where_none_could(
    repository: Repository, inbox: Inbox, posts: Posts
) -> None:
    posts.answer = 500
    EventNotifier(Event.machinery_fault).notify(failed_run())
    EventNotifier(Event.machinery_fault).notify(failed_run())
    assert (len(inbox.mails), len(posts.got)) == (1, 1), "the mail has arrived, so it is told"
    inbox.answer = "554 no spam"
    message = Message("another", "subject", "text")
    tell(repository, Event.rolled_back, message, {})
    posts.answer = 204
    tell(repository, Event.rolled_back, message, {})
    assert [body["key"] for _, _, body in posts.got].count("another") == 2


def test_words_that_look_like_a_template_stay_words(repository: Repository, inbox: Inbox) -> None:
    message = Message("words", "otterflow: {{ 6 * 7 }}", "why: {{ 6 * 7 }} {% raw %}")
    tell(repository, Event.rolled_back, message, failed_run())
    ((_, mail),) = inbox.mails
    text = "".join(part.get_payload(decode=True).decode() for part in mail.walk() if not part.is_multipart())
    assert "why: &#123;&#123; 6 * 7 }} &#123;% raw %}" in text
    assert mail["Subject"] == "otterflow: (( 6 * 7 }}"


def test_nothing_is_told_that_was_not_asked_for(repository: Repository, tmp_path: Path, posts: Posts) -> None:
    (tmp_path / "notices.yaml").write_text(yaml.safe_dump(FILE | {"about": ["rolled_back"]}))
    EventNotifier(Event.machinery_fault).notify(failed_run())
    (tmp_path / "notices.yaml").write_text(yaml.safe_dump(FILE | {"about": ["everything"]}))
    EventNotifier(Event.machinery_fault).notify(failed_run())
    (tmp_path / "notices.yaml").unlink()
    EventNotifier(Event.machinery_fault).notify(failed_run())
    assert posts.got == []


def test_the_shipped_file_tells_nobody() -> None:
    shipped = Path(__file__).resolve().parents[2] / "include" / "notices.yaml"
    assert load_notices(shipped) == Notices()


def test_a_file_that_is_wrong_is_told_by_field(tmp_path: Path) -> None:
    path = tmp_path / "notices.yaml"
    assert load_notices(path) == Notices()
    path.write_text(yaml.safe_dump({"notify": [{"kind": "mail", "to": "nobody"}]}))
    with pytest.raises(InvalidInput, match=r"notices\.yaml: notify\.0\.mail\.to: value 'nobody' is not valid"):
        load_notices(path)


def test_what_is_said_of_a_promotion(repository: Repository) -> None:
    made = repository.propose("shop", run="promote_configuration/a", form={}, proposal={}, asked_by="dba")
    asked = of_question(made, "Change 1 knob on shop, by a reload?", "http://airflow/x")
    assert asked.subject == "otterflow: Change 1 knob on shop, by a reload?"
    assert asked.text == "Change 1 knob on shop, by a reload? Asked by dba. Read it and answer: http://airflow/x"
    assert of_rollback(made).key == f"promotion/{made.id}/rolled_back"
