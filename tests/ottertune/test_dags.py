"""The two Dags, with the real operators: the form in, the report out."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import ParamValidationError

from otterflow.errors import InvalidInput
from otterflow.ottertune.spec import ImportSpec
from otterflow.repository import Repository
from tests.operators.harness import Dags
from tests.ottertune.sets import changed, summary


@pytest.fixture(scope="module")
def dags() -> Dags:
    return Dags()


@pytest.fixture(autouse=True)
def home(repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tasks find the test's repository, which lies in `tmp_path`."""
    monkeypatch.setenv("OTTERFLOW_HOME", str(tmp_path))


def only_task(dags: Dags, dag_id: str, **conf: Any) -> Any:
    run = dags.run(dag_id, conf)
    for error in run.errors.values():
        raise error
    [returned] = run.returned.values()
    return returned


def validated(dags: Dags, dag_id: str, conf: dict[str, Any]) -> dict[str, Any]:
    """The form as Airflow checks it before a run."""
    params = copy.deepcopy(dags.dags[dag_id].params)
    params.update(conf)
    return dict(params.validate())


def test_the_forms_fields_are_those_of_an_import(dags: Dags) -> None:
    assert set(dags.dags["import_ottertune"].params) == set(ImportSpec.model_fields)


@pytest.mark.parametrize(
    ("dag_id", "conf"),
    [
        ("import_ottertune", {"folder": "/data", "experiment": "past"}),
        ("import_ottertune", {"folder": "/data", "experiment": "past", "ram_gb": 7.5, "cores": 2, "benchmark": ""}),
        ("export_ottertune", {"folder": "/data", "experiment": "night", "iteration": 7}),
        ("export_ottertune", {"folder": "/data", "experiment": "night", "iteration": None}),
    ],
)
def test_airflow_takes_the_form(dags: Dags, dag_id: str, conf: dict[str, Any]) -> None:
    assert conf.items() <= validated(dags, dag_id, conf).items()


@pytest.mark.parametrize("conf", [{"ram_gb": 0}, {"cores": 0}, {"disk": "tape"}, {"experiment": "a b"}])
def test_airflow_refuses_what_cannot_be(dags: Dags, conf: dict[str, Any]) -> None:
    with pytest.raises(ParamValidationError):
        validated(dags, "import_ottertune", conf)


@pytest.mark.slow
def test_import_stores_and_reports(dags: Dags, repository: Repository, folder: Path) -> None:
    changed(folder, "1__summary", summary(observation_time=-1))
    report = only_task(dags, "import_ottertune", folder=str(folder), experiment="past")
    assert report["imported"] == ["0", "2"]
    assert [line["field"] for line in report["left_out"]] == ["summary.observation_time"]
    assert repository.experiment("past").state == "finished"
    again = only_task(dags, "import_ottertune", folder=str(folder), experiment="past")
    assert not again["stored"]
    assert len(repository.trials("past")) == 2


def test_an_empty_form_names_what_is_missing(dags: Dags, repository: Repository) -> None:
    with pytest.raises(InvalidInput) as caught:
        only_task(dags, "import_ottertune")
    assert {p.field for p in caught.value.problems} == {"folder", "experiment"}
    assert repository.experiments() == []


@pytest.mark.slow
def test_export_writes_what_import_read(dags: Dags, folder: Path, tmp_path: Path) -> None:
    only_task(dags, "import_ottertune", folder=str(folder), experiment="past")
    report = only_task(dags, "export_ottertune", experiment="past", folder=str(tmp_path / "out"))
    assert report["written"] == ["past-0000", "past-0001", "past-0002"]
    assert len(list((tmp_path / "out").iterdir())) == 12


def test_export_to_nowhere_is_refused(dags: Dags, folder: Path) -> None:
    only_task(dags, "import_ottertune", folder=str(folder), experiment="past")
    with pytest.raises(InvalidInput, match="folder: is empty"):
        only_task(dags, "export_ottertune", experiment="past")
