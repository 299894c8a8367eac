"""Schedules of nights: what a good one gives, and what each bad one is told."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from otterflow.errors import InvalidInput
from otterflow.experiment.schedule import load_schedule

GOOD: dict[str, Any] = {
    "name": "staging",
    "target": "staging",
    "benchmark": "pgbench_tpcb",
    "cron": "30 22 * * *",
    "timezone": "Europe/Berlin",
    "until": "05:30",
}


def load(folder: Path, **changes: Any) -> Any:
    path = folder / "staging.yaml"
    path.write_text(yaml.safe_dump(GOOD | changes))
    return load_schedule(path)


def test_the_night_is_an_experiment_named_after_the_evening(tmp_path: Path) -> None:
    schedule = load(tmp_path, form={"iterations": 7}, after="install")
    opens = datetime(2026, 11, 20, 21, 30, tzinfo=UTC)
    spec = schedule.spec(opens, 2)
    assert (spec.experiment, spec.target, spec.benchmark) == ("staging-20261120-2", "staging", "pgbench_tpcb")
    assert spec.stop_at == datetime(2026, 11, 21, 4, 30, tzinfo=UTC)
    assert (spec.iterations, spec.install) == (7, True)
    assert not load(tmp_path).spec(opens).install  # a night proposes unless told otherwise


def test_where_a_winner_goes_is_a_promotions_form(tmp_path: Path) -> None:
    form = load(tmp_path, promote={"target": "shop", "assigned": ["4"]}).promotion()
    assert (form.target, form.schedule, form.experiment, form.which) == ("shop", "staging", "", "winner")


def test_a_night_that_begins_after_midnight_has_that_days_date(tmp_path: Path) -> None:
    schedule = load(tmp_path, cron="15 0 * * *")
    assert schedule.experiment(datetime(2026, 11, 20, 23, 15, tzinfo=UTC)) == "staging-20261121"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"cron": "30 25 * * *"}, r"cron: value '30 25 \* \* \*'.*five fields are right"),
        ({"cron": "@daily"}, "cron: value '@daily'.*five fields are right"),
        ({"cron": "* * * * *"}, "fires again before the window has closed"),
        ({"cron": "0 22,23 * * *", "until": "22:30"}, "fires again"),  # the second of the day, whatever the hour is now
        ({"cron": "0 22 * * 1,3", "until": "21:00"}, "is 23.0 h long"),
        ({"timezone": "Europe/Berlino"}, "timezone: value 'Europe/Berlino'.*IANA"),
        ({"timezone": "../etc/passwd"}, "timezone: value '../etc/passwd'.*IANA"),
        ({"until": "5:30"}, "until: value '5:30'.*HH:MM"),
        ({"until": "24:10"}, "until: value '24:10'.*HH:MM"),
        ({"until": "22:29"}, "is 24.0 h long"),
        ({"until": "22:35"}, "is 0.1 h long"),
        ({"form": {"iterations": 0}}, r"iterations.*0.*greater than or equal to 1"),
        ({"form": {"iteration": 5}}, "iteration"),
        ({"form": {"target": "other"}}, "form: target is given by the schedule"),
        ({"recording": {"name": "shop"}, "form": {"recording": "/r"}}, "form: recording is given by the schedule"),
        ({"recording": {"name": "shop", "pick": "best"}}, "recording.pick: value 'best'"),
        ({"after": "hope"}, "after: value 'hope'"),
        ({"name": "other"}, "'other' differs from the file's name; name the file other.yaml"),
        ({"name": "no good"}, "name: value 'no good'"),
        ({"notify": [{"kind": "mail", "to": "dba"}]}, "notify.0.mail.to: value 'dba'"),
        ({"notify": [{"kind": "pigeon"}]}, "notify.0"),
        ({"surprise": 1}, "surprise: value 1"),
        ({"promote": {"target": "shop"}, "after": "install"}, "with it, after is to be propose"),
        ({"promote": {"target": "shop", "which": "best"}}, "promote: which is given by the schedule"),
        ({"promote": {"target": "shop", "windows": 1}}, "promote: windows: value 1 is not valid"),
        ({"promote": {"restart": True}}, "promote: target: value"),
    ],
)
def test_a_bad_schedule_names_field_value_and_what_is_right(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput, match=f"(?s){said}"):
        load(tmp_path, **changes)


def test_an_unknown_schedule_names_those_that_are_there(tmp_path: Path) -> None:
    load(tmp_path)
    with pytest.raises(InvalidInput, match="'production' is unknown; known schedules: staging"):
        load_schedule(tmp_path / "production.yaml")
