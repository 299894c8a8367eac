"""What is promoted of an experiment: its winner, what is asked for by name, and what cannot be promoted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from otterflow.dbms.registry import dbms_named
from otterflow.errors import InvalidInput
from otterflow.experiment.frozen import files_of
from otterflow.experiment.plan import load_plan
from otterflow.experiment.promotion import finding, newest_proposed, proposal
from otterflow.experiment.promotion_form import PromotionForm
from otterflow.experiment.spec import ExperimentSpec
from otterflow.experiment.translation import Machine
from otterflow.knobs.catalog import KnobCatalog
from otterflow.knobs.facts import HostFacts
from otterflow.knobs.setting import LiveSetting
from otterflow.repository import Repository
from tests.dbms.conftest import RECORD
from tests.repository.samples import new_experiment, plan, prepare

GIB = 2**30
BASELINE = {"shared_buffers": 16384, "work_mem": 4096, "jit": True}
WINNER = {"shared_buffers": 4 * GIB // 8192, "work_mem": 4096, "jit": False}
RULES = {"shared_buffers": 4 * GIB // 8192, "work_mem": 8192, "jit": False}


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, live: dict[str, LiveSetting]) -> Repository:
    """One with an ended experiment, `staging-20261120`, whose winner is proposed."""
    (tmp_path / "staging.yaml").write_text(yaml.safe_dump(RECORD))
    monkeypatch.setenv("OTTERFLOW_TARGETS_DIR", str(tmp_path))
    repository = Repository.open(f"sqlite:///{tmp_path / 'repository.db'}")
    name = "staging-20261120"
    spec = ExperimentSpec.from_params({"experiment": name, "target": "staging", "benchmark": "pgbench_tpcb"})
    repository.create_experiment(
        new_experiment(name, benchmark="pgbench_tpcb", spec=spec.record(), files=files_of(load_plan(spec)))
    )
    prepare(
        repository, name, live={knob: setting.as_row() for knob, setting in live.items()}, baseline=BASELINE,
        rules=RULES, facts=HostFacts(16 * GIB, 8, "ssd", 100).as_dict(),
    )  # fmt: skip
    plan(repository, 2, name, kind="model", wanted=WINNER)
    result = {"winner": "best", "installed": "baseline", "best_configuration": WINNER, "verdict": "best is better."}
    repository.record_outcome(name, result)
    repository.set_experiment_state(name, "finished")
    return repository


def form(**fields: Any) -> PromotionForm:
    return PromotionForm.from_params({"target": "shop", "experiment": "staging-20261120", **fields})


def proposed(
    repository: Repository, asked: PromotionForm, live: dict[str, LiveSetting], catalog: KnobCatalog
) -> dict[str, Any]:
    """The proposal for a server with four times the RAM and the same settings in force."""
    here = Machine(HostFacts(64 * GIB, 8, "ssd", 100), live, 15)
    dbms = dbms_named("postgresql")
    found = finding(repository, asked, here, dbms, catalog)
    return proposal(found, asked, here, dbms, catalog, "# theirs\n")


def test_a_winner_goes_over_by_what_it_has_changed(
    repository: Repository, live: dict[str, LiveSetting], catalog: KnobCatalog
) -> None:
    found = proposed(repository, form(restart=True), live, catalog)
    assert [(c["knob"], c["shown_before"], c["shown_after"]) for c in found["changes"]] == [
        ("shared_buffers", "128MB", "16GB"), ("jit", "on", "off"),
    ]  # fmt: skip
    assert (found["how"], found["kept"], found["file"]) == ("restart", ["work_mem"], "# theirs\n")
    assert (found["label"], found["evidence"]) == ("winner of experiment staging-20261120", "best is better.")
    assert found["compared"] is None, "its result has no comparison"
    only = proposed(repository, form(), live, catalog)
    assert ([c["knob"] for c in only["changes"]], only["how"]) == (["jit"], "reload")
    assert [each["knob"] for each in only["left"]] == ["shared_buffers"]


def test_what_was_compared_goes_with_the_proposal(
    repository: Repository, live: dict[str, LiveSetting], catalog: KnobCatalog
) -> None:
    ratio = {"ratio": 1.3, "low": 1.2, "high": 1.4, "rounds": 3}
    compared = {"values": {"baseline": [100.0], "best": [125.0, 131.0, 130.0]}, "ratios": {"best": ratio}}
    known = repository.experiment("staging-20261120").outcome or {}
    said = {"comparison": compared, "unit": "1/s", "objective": "throughput", "benchmark": "pgbench_tpcb"}
    repository.record_outcome("staging-20261120", known | said)
    found = proposed(repository, form(), live, catalog)["compared"]
    assert found == {
        "objective": "throughput", "benchmark": "pgbench_tpcb", "proposed": "best",
        "rows": [{"arm": "best", "value": "130 /s", "ratio": 1.3, "low": 1.2, "high": 1.4}],
    }  # fmt: skip
    rules = proposed(repository, form(which="rules"), live, catalog)["compared"]
    assert rules["proposed"] == "rules"


def test_others_of_its_configurations_are_named(
    repository: Repository, live: dict[str, LiveSetting], catalog: KnobCatalog
) -> None:
    found = proposed(repository, form(which="rules"), live, catalog)
    assert {c["knob"] for c in found["changes"]} == {"work_mem", "jit"}
    assert found["label"] == "rules of experiment staging-20261120"
    with pytest.raises(InvalidInput, match="which: trial 2 of 'staging-20261120' is planned"):
        proposed(repository, form(which="2"), live, catalog)


def test_a_schedule_means_its_newest_night_with_a_winner(
    repository: Repository, live: dict[str, LiveSetting], catalog: KnobCatalog
) -> None:
    repository.create_experiment(new_experiment("staging-20261121"))
    repository.record_outcome("staging-20261121", {"winner": "baseline", "installed": "baseline"})
    assert newest_proposed(repository, "staging") == "staging-20261120"
    asked = PromotionForm.from_params({"target": "shop", "schedule": "staging"})
    assert proposed(repository, asked, live, catalog)["experiment"] == "staging-20261120"
    with pytest.raises(InvalidInput, match="schedule: no night of 'other' has proposed anything"):
        newest_proposed(repository, "other")


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        ({"winner": "baseline"}, "which: nothing beat the baseline of 'staging-20261120' beyond noise"),
        ({"best_configuration": BASELINE}, "which: winner of 'staging-20261120' is what was in force before"),
    ],
)
def test_what_has_won_nothing_is_no_winner(
    repository: Repository, live: dict[str, LiveSetting], catalog: KnobCatalog, outcome: dict[str, Any], said: str
) -> None:
    known = repository.experiment("staging-20261120").outcome or {}
    repository.record_outcome("staging-20261120", known | outcome)
    with pytest.raises(InvalidInput, match=said):
        proposed(repository, form(), live, catalog)


def test_an_experiment_without_a_result_or_on_another_dbms_is_refused(
    repository: Repository, live: dict[str, LiveSetting], catalog: KnobCatalog
) -> None:
    repository.create_experiment(new_experiment("young"))
    with pytest.raises(InvalidInput, match="experiment: 'young' has not looked at its target"):
        proposed(repository, form(experiment="young"), live, catalog)
    repository.create_experiment(new_experiment("maria", dbms="mariadb"))
    prepare(repository, "maria")
    with pytest.raises(InvalidInput, match="'maria' tuned mariadb, and target 'shop' is of dbms postgresql"):
        proposed(repository, form(experiment="maria"), live, catalog)


def test_values_of_ones_own_are_read_as_the_server_writes_them(
    repository: Repository, live: dict[str, LiveSetting], catalog: KnobCatalog
) -> None:
    asked = PromotionForm.from_params({"target": "shop", "configuration": {"work_mem": "64MB", "jit": False}})
    found = proposed(repository, asked, live, catalog)
    assert [(c["knob"], c["after"], c["why"]) for c in found["changes"]] == [
        ("work_mem", 65536, "as given"), ("jit", False, "as given"),
    ]  # fmt: skip
    for config, said in (
        ({"work_mem": "1kB"}, "configuration: work_mem: '1kB' is beyond its limits"),
        ({"fsync_all": True}, "configuration: fsync_all: is not a knob"),
    ):
        asked = PromotionForm.from_params({"target": "shop", "configuration": config})
        with pytest.raises(InvalidInput, match=said):
            proposed(repository, asked, live, catalog)
