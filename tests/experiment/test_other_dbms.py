"""What is for one DBMS is refused on another, before a host is touched."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from otterflow import settings
from otterflow.dbms.registry import target_of
from otterflow.dbms.target import Target
from otterflow.errors import InvalidInput
from otterflow.experiment.plan import checked_plan
from otterflow.experiment.spec import ExperimentSpec
from otterflow.knobs.catalog import KnobCatalog
from otterflow.workloads.definition import load_benchmark
from tests import other_dbms

CATALOG = KnobCatalog(dbms="other", knobs=(), untuned=())


@pytest.fixture
def target() -> Iterator[Target]:
    with other_dbms.listed():
        yield target_of(other_dbms.RECORD, "elsewhere.yaml")


def refused(target: Target, benchmark: str) -> str:
    spec = ExperimentSpec(experiment="e", target=target.name, benchmark=benchmark)
    found = load_benchmark(settings.include_dir() / "benchmarks" / f"{benchmark}.yaml")
    with pytest.raises(InvalidInput) as caught:
        checked_plan(spec, target, found, CATALOG)
    return str(caught.value)


FAMILY = "mariadb, mysql, postgresql"


@pytest.mark.parametrize(
    ("benchmark", "driver", "able"),
    [("pgbench_tpcb", "pgbench", "postgresql"), ("tpcc", "pgbench_scripts", "postgresql"),
     ("analytics", "analytics", "postgresql"), ("sysbench_oltp_read_only", "sysbench", FAMILY),
     ("benchbase_tpcc", "benchbase", FAMILY)],
)  # fmt: skip
def test_a_benchmark_whose_driver_cannot_load_the_dbms(target: Target, benchmark: str, driver: str, able: str) -> None:
    assert refused(target, benchmark) == (
        f"benchmark: {benchmark!r} is run by driver {driver!r}, which is for {able}, and target 'elsewhere' is of "
        f"dbms 'other'; choose a benchmark for other, or a target of dbms {able}"
    )


def test_a_live_benchmark_on_a_dbms_that_cannot_be_observed(target: Target) -> None:
    assert "benchmark: 'live' observes a server under its users' load, which is not to be had with Other; choose" in (
        refused(target, "live")
    )


def test_a_target_has_the_fields_and_services_of_its_dbms_alone(target: Target) -> None:
    assert target.service.kind == "systemd"
    wrong: dict[str, Any] = {"service": {"kind": "pg_ctl"}, "bin": 1}
    with pytest.raises(InvalidInput, match=r"(?s)elsewhere.yaml: service.*elsewhere.yaml: bin"):
        target_of(other_dbms.RECORD | wrong, "elsewhere.yaml")
    with pytest.raises(
        InvalidInput, match=r"elsewhere.yaml: dbms: 'oracle' is not known; use one of postgresql, .*other"
    ):
        target_of(other_dbms.RECORD | {"dbms": "oracle"}, "elsewhere.yaml")
