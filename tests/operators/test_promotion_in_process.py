"""Promotions on a real server with real users: approved, installed, watched, kept, rolled back; nothing of theirs lost.

Only Airflow is left out: the question is answered by the test, as the scheduler hands an answer on.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from airflow.sdk.exceptions import AirflowSkipException

from otterflow.errors import InvalidInput, MachineryFault, MayNotAct, TargetHeld
from otterflow.experiment.live_verdict import AFTER, BEFORE
from otterflow.hosts import promotion as steps
from otterflow.hosts.promotion import NotInForce
from otterflow.operators import approve, keep_or_roll_back, notices, rollback
from otterflow.operators.connections import open_repository
from otterflow.repository import Promotion
from stack.host import DatabaseHost, Host
from tests.operators.harness import Dags, Run, TaskInstance
from tests.operators.test_live import live as live
from tests.operators.test_live import started_at, users

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

TASKS = ("propose", "approve", "await_window", "recheck", "watch_before", "install", "watch_after", "keep_or_roll_back")
DBA = {"id": "dba", "name": "dba"}
KEPT = "# by hand\nlog_autovacuum_min_duration = 7000\n"
"""What the knobs file holds besides."""


class Promoting:
    """A run of promote_configuration, task by task, as a person lets it go on."""

    def __init__(self, dags: Dags, host: Host, **form: Any) -> None:
        self.dag = dags.dags["promote_configuration"]
        self.dags, self.host = dags, host
        fields = {"target": host.name, "configuration": {"work_mem": "8MB"}, "windows": 3, "window_s": 2, "settle_s": 0}
        given = {**fields, "why": "users | wait", **form}
        self.params = {**{name: self.dag.params[name] for name in self.dag.params}, **given}
        self.run = Run("promote_configuration", self.params, f"manual-{id(self)}")
        self.run.dag_run = SimpleNamespace(triggering_user_name="operator", run_id=self.run.run_id)

    @property
    def promotion(self) -> Promotion:
        return open_repository().promotion(self.run.returned["propose"]["promotion"])

    def context(self, task: Any) -> Any:
        ti = TaskInstance(self.run, task.task_id, self.dags.known)
        return {
            "params": self.params, "run_id": self.run.run_id, "ti": ti, "dag_run": self.run.dag_run,
            "task_instance": SimpleNamespace(id="1"), "task": None,
        }  # fmt: skip

    def do(self, *names: str) -> Any:
        """Execute tasks; what the last returned."""
        done = None
        for name in names:
            task = self.dags.task("promote_configuration", name, self.params)
            done = task.execute(self.context(task))
            self.run.returned[name], self.run.states[name] = done, "success"
        return done

    def answer(self, chosen: str = "Approve", *, timedout: bool = False, **params: Any) -> Any:
        """What the scheduler hands on once somebody has answered."""
        event = {
            "chosen_options": [chosen], "params_input": {"when": "now", "note": "go", **params}, "timedout": timedout,
            "responded_at": datetime.now(UTC), "responded_by_user": None if timedout else DBA,
        }  # fmt: skip
        task: Any = self.dag.get_task("approve")
        return task.execute_complete({**self.context(task), "task": task}, event)

    def to(self, name: str) -> Any:
        """Go on, with an approval, until that task has been done."""
        self.do("propose")
        self.answer()
        return self.do(*TASKS[2 : TASKS.index(name) + 1])


@pytest.fixture
def shop(live: DatabaseHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DatabaseHost]:
    """The private server as one with users, whose knobs file holds a line of theirs."""
    record = yaml.safe_load((live.targets_dir / f"{live.name}.yaml").read_text())
    folder = tmp_path / "production"
    folder.mkdir()
    (folder / f"{live.name}.yaml").write_text(yaml.safe_dump(record | {"has_users": True}))
    monkeypatch.setenv("OTTERFLOW_TARGETS_DIR", str(folder))
    path = Path(os.environ["OTTERFLOW_INCLUDE_DIR"]) / "benchmarks" / "live.yaml"
    benchmark = yaml.safe_load(path.read_text())
    benchmark["workload"]["least_transactions"] = 1  # on a busy machine the users get little done
    path.write_text(yaml.safe_dump(benchmark))
    live.user.write_file(live.cluster.knobs_file, KEPT, 0o644)
    with live.cluster.connect("postgres") as connection:
        connection.execute("SELECT pg_reload_conf()")
    with users(live, tmp_path):
        yield live


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Which events people are told of, with the message's key."""
    said: list[tuple[str, str]] = []

    def tell(repository: Any, event: Any, message: Any, context: Any) -> None:
        said.append((event.value, message.key))

    for module in (approve, keep_or_roll_back, rollback, notices):
        monkeypatch.setattr(module, "tell", tell)
    monkeypatch.setattr("otterflow.operators.make_safe.tell", tell)
    return said


def shown(host: DatabaseHost, knob: str = "work_mem") -> str:
    with host.cluster.connect("bench") as connection:
        row = connection.execute(f"SHOW {knob}").fetchone()
    assert row is not None
    return str(row[0])


def rows_of_users(host: DatabaseHost) -> int:
    with host.cluster.connect("bench") as connection:
        row = connection.execute("SELECT count(*) FROM users_own").fetchone()
    assert row is not None
    return int(row[0])


@contextmanager
def worse_after(monkeypatch: pytest.MonkeyPatch, times: float) -> Iterator[None]:
    """What is measured after the change is so many times what it was before: 1, but for noise, without this."""
    real = steps.watch

    def watch(bench: Any, promotion: Any, phase: str, number: int) -> dict[str, Any]:
        window = real(bench, promotion, phase, number)
        value = 1.0 + number / 100
        return window | {"value": value * times if phase == AFTER else value}

    with monkeypatch.context() as patch:
        patch.setattr(steps, "watch", watch)
        yield


def test_a_promotion_is_approved_installed_watched_and_kept(
    shop: DatabaseHost, dags: Dags, monkeypatch: pytest.MonkeyPatch, told: list[tuple[str, str]]
) -> None:
    begun, promoting = started_at(shop), Promoting(dags, shop)
    asked = promoting.do("propose")
    assert asked["subject"] == "Change 1 knob on private, by a reload?"
    assert r"| work\_mem | 4MB | 8MB | reload | as given |" in asked["body"]
    assert r"Why: users \| wait" in asked["body"]
    assert shop.cluster.knobs_file.read_text() == KEPT, "a proposal touches nothing"
    assert open_repository().holder(shop.name) is None, "nor does it hold anything while it waits"
    answered = promoting.answer()
    assert answered["chosen_options"] == ["Approve"]
    assert (promoting.promotion.state, promoting.promotion.answer["by"]) == ("approved", DBA)  # type: ignore[index]
    with worse_after(monkeypatch, 1.0):
        promoting.do(*TASKS[2:7])
        assert shown(shop) == "8MB"
        assert open_repository().holder(shop.name) == f"(promotion-{promoting.promotion.id})"
        done = promoting.do("keep_or_roll_back")
    assert done["state"] == "kept"
    promotion = promoting.promotion
    assert (promotion.state, promotion.asked_by) == ("kept", "operator")
    assert [(w["phase"], w["number"]) for w in promotion.windows] == [
        (phase, number) for phase in (BEFORE, AFTER) for number in (1, 2, 3)
    ]
    assert all(w["result"]["transactions"] > 0 for w in promotion.windows), "the users' own load"
    text = shop.cluster.knobs_file.read_text()
    assert "log_autovacuum_min_duration = '7000'" in text, "what stood there is still in force"
    assert shown(shop, "log_autovacuum_min_duration") == "7s"
    assert started_at(shop) == begun, "no restart"
    assert rows_of_users(shop) == 2000
    assert open_repository().holder(shop.name) is None
    assert shop.locks() == []
    assert told == []

    back = dags.run("rollback", {"target": shop.name, "why": "by hand"}, dag_run=promoting.run.dag_run)
    assert back.state == "success", back.errors
    assert shop.cluster.knobs_file.read_text() == KEPT
    assert shown(shop) == "4MB"
    assert promoting.promotion.state == "rolled_back"
    assert promoting.promotion.message.startswith("rolled back by operator: by hand; what was in force before")
    assert told == [("rolled_back", f"promotion/{promotion.id}/rolled_back")]
    assert shop.locks() == []
    again = dags.run("rollback", {"target": shop.name})
    assert "no promotion is in force on 'private'" in str(again.errors["roll_back"])


def test_what_is_worse_beyond_noise_is_rolled_back_by_itself(
    shop: DatabaseHost, dags: Dags, monkeypatch: pytest.MonkeyPatch, told: list[tuple[str, str]]
) -> None:
    promoting = Promoting(dags, shop)
    with worse_after(monkeypatch, 1.5):
        done = promoting.to("keep_or_roll_back")
    assert done["state"] == "rolled_back"
    assert "worse, beyond noise" in done["because"]
    assert shown(shop) == "4MB"
    assert shop.cluster.knobs_file.read_text() == KEPT
    assert promoting.promotion.state == "rolled_back"
    assert told == [("rolled_back", f"promotion/{promoting.promotion.id}/rolled_back")]
    assert open_repository().holder(shop.name) is None


def test_a_restart_is_made_where_it_is_allowed_and_undone_by_one(
    shop: DatabaseHost, dags: Dags, monkeypatch: pytest.MonkeyPatch, told: list[tuple[str, str]], tmp_path: Path
) -> None:
    form = {"configuration": {"shared_buffers": "160MB", "work_mem": "8MB"}}
    without = Promoting(dags, shop, **form)
    without.do("propose")
    assert [change["knob"] for change in without.promotion.proposal["changes"]] == ["work_mem"]
    assert "it takes a restart, which was not allowed in the form" in without.run.returned["propose"]["body"]

    promoting, begun = Promoting(dags, shop, restart=True, **form), started_at(shop)
    assert promoting.do("propose")["subject"] == "Change 2 knobs on private, by a restart?"
    promoting.answer()
    with worse_after(monkeypatch, 1.0):
        promoting.do("await_window", "recheck", "watch_before", "install")
        assert started_at(shop) != begun
        assert shown(shop, "shared_buffers") == "160MB"
        begun = started_at(shop)
        promoting.do("install")
        assert started_at(shop) == begun, "a task that is done again finds it in force"
        with users(shop, tmp_path):  # the restart has ended the sessions of the others
            promoting.do("watch_after", "keep_or_roll_back")
    assert promoting.promotion.state == "kept"
    back = dags.run("rollback", {"target": shop.name})
    assert back.state == "success", back.errors
    assert shown(shop, "shared_buffers") == "128MB"
    assert "the server was restarted" in promoting.promotion.message


def test_what_is_otherwise_than_it_was_asked_about_is_refused(shop: DatabaseHost, dags: Dags) -> None:
    promoting = Promoting(dags, shop)
    promoting.do("propose")
    promoting.answer()
    shop.user.write_file(shop.cluster.knobs_file, "work_mem = 6MB\n", 0o644)
    with shop.cluster.connect("postgres") as connection:
        connection.execute("SELECT pg_reload_conf()")
    promoting.do("await_window")
    with pytest.raises(MayNotAct, match="is refused, and nothing was touched; since it was asked") as refused:
        promoting.do("recheck")
    assert "the knobs file has another text" in str(refused.value)
    assert "work_mem was 4MB and is 6MB now" in str(refused.value)
    assert promoting.promotion.state == "refused"
    assert promoting.do("make_safe")["said"] == "nothing was changed on the server"
    assert shop.cluster.knobs_file.read_text() == "work_mem = 6MB\n"
    assert open_repository().holder(shop.name) is None
    with pytest.raises(MayNotAct, match="is refused"):
        promoting.do("recheck")


def test_a_target_that_an_experiment_holds_is_not_touched(shop: DatabaseHost, dags: Dags) -> None:
    promoting = Promoting(dags, shop)
    promoting.do("propose")
    promoting.answer()
    open_repository().hold_target(shop.name, "in-process")
    with pytest.raises(TargetHeld, match="held by experiment 'in-process'"):
        promoting.do("recheck")
    promoting.do("make_safe")
    assert open_repository().holder(shop.name) == "in-process"
    assert shop.cluster.knobs_file.read_text() == KEPT


def test_a_server_that_does_not_start_with_it_is_up_on_what_it_had(
    shop: DatabaseHost, dags: Dags, told: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The check of the file cannot know how much memory the host lets the server have."""
    promoting = Promoting(dags, shop, restart=True, configuration={"shared_buffers": "160MB"})
    monkeypatch.setattr(steps, "text_of", lambda bench, promotion: KEPT + "shared_buffers = '7TB'\n")
    promoting.do("propose")
    promoting.answer()
    promoting.do("await_window", "recheck", "watch_before")
    with pytest.raises(NotInForce, match=r"not be put in force; what was .* before promotion \d+ is in force again"):
        promoting.do("install")
    assert shop.cluster.is_running
    assert shop.cluster.knobs_file.read_text() == KEPT
    assert shown(shop, "shared_buffers") == "128MB"
    promoting.do("make_safe")
    assert promoting.promotion.state == "failed"
    assert told == [("rolled_back", f"promotion/{promoting.promotion.id}/rolled_back")]
    assert open_repository().holder(shop.name) is None


def test_something_that_wins_over_the_file_is_told_before_anybody_is_asked(shop: DatabaseHost, dags: Dags) -> None:
    with shop.cluster.connect("postgres") as connection:
        connection.autocommit = True
        connection.execute("ALTER SYSTEM SET work_mem = '5MB'")
        connection.execute("SELECT pg_reload_conf()")
    try:
        with pytest.raises(InvalidInput, match="work_mem"):
            Promoting(dags, shop).do("propose")
    finally:
        with shop.cluster.connect("postgres") as connection:
            connection.autocommit = True
            connection.execute("ALTER SYSTEM RESET work_mem")
            connection.execute("SELECT pg_reload_conf()")


def test_a_rollback_takes_over_a_promotion_that_is_watched(
    shop: DatabaseHost, dags: Dags, monkeypatch: pytest.MonkeyPatch, told: list[tuple[str, str]]
) -> None:
    promoting, real = Promoting(dags, shop), steps.watch

    def watch(bench: Any, promotion: Any, phase: str, number: int) -> dict[str, Any]:
        if (phase, number) == (AFTER, 2):
            done = dags.run("rollback", {"target": shop.name, "why": "it is slow"})
            assert done.state == "success", done.errors
        return real(bench, promotion, phase, number)

    monkeypatch.setattr(steps, "watch", watch)
    with pytest.raises(AirflowSkipException, match="is rolled_back by now: rolled back by somebody: it is slow"):
        promoting.to("watch_after")
    assert shown(shop) == "4MB"
    assert shop.cluster.knobs_file.read_text() == KEPT
    assert open_repository().holder(shop.name) is None
    assert told == [("rolled_back", f"promotion/{promoting.promotion.id}/rolled_back")]


def test_a_file_that_somebody_has_changed_since_is_overwritten_only_anyway(
    shop: DatabaseHost, dags: Dags, monkeypatch: pytest.MonkeyPatch, told: list[tuple[str, str]]
) -> None:
    promoting = Promoting(dags, shop)
    with worse_after(monkeypatch, 1.0):
        promoting.to("keep_or_roll_back")
    own = shop.cluster.knobs_file.read_text() + "jit = off\n"
    shop.user.write_file(shop.cluster.knobs_file, own, 0o644)
    refused = dags.run("rollback", {"target": shop.name})
    assert isinstance(refused.errors["roll_back"], MachineryFault)
    assert "was changed since promotion" in str(refused.errors["roll_back"])
    assert shop.cluster.knobs_file.read_text() == own
    done = dags.run("rollback", {"target": shop.name, "anyway": True})
    assert done.state == "success", done.errors
    assert shop.cluster.knobs_file.read_text() == KEPT


def test_an_idle_server_is_not_given_anything(
    live: DatabaseHost, dags: Dags, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = yaml.safe_load((live.targets_dir / f"{live.name}.yaml").read_text())
    (tmp_path / f"{live.name}.yaml").write_text(yaml.safe_dump(record | {"has_users": True}))
    monkeypatch.setenv("OTTERFLOW_TARGETS_DIR", str(tmp_path))
    promoting = Promoting(dags, live, window_s=1)
    with pytest.raises(MayNotAct, match="0 windows could be measured, and 3 are the least that say anything"):
        promoting.to("watch_before")
    assert promoting.promotion.state == "refused"
    promoting.do("make_safe")
    assert shown(live) == "4MB"


def test_a_form_that_cannot_be_done_is_told_by_field(shop: DatabaseHost, dags: Dags) -> None:
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"experiment": "gone", "configuration": {}}, "experiment: 'gone' is unknown"),
        ({"configuration": {"port": 1}}, "configuration: port: is not a knob that is tuned on this server"),
        ({"benchmark": "analytics"}, "'analytics' loads data and restarts the server"),
        ({"configuration": {"work_mem": "4MB"}}, "nothing would change on 'private'"),
        ({"constraints": ["latency_p99 < 5"]}, "latency_p99"),
    ]
    for form, said in wrong:
        with pytest.raises(InvalidInput, match=said):
            Promoting(dags, shop, **form).do("propose")
    assert open_repository().promotions() == []


def test_a_target_without_users_is_refused(live: DatabaseHost, dags: Dags) -> None:
    with pytest.raises(InvalidInput, match="'private' has no users by its file"):
        Promoting(dags, live).do("propose")
    assert os.environ["OTTERFLOW_HOME"]
