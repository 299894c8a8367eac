"""The benchmark files that the guides show are ones that otterflow accepts."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from pydantic import TypeAdapter

from otterflow.dbms.postgresql.dbms import DBMS
from otterflow.measures.objective import TIMES_OF_WORK, Objective
from otterflow.workloads.base import workload_for
from otterflow.workloads.command.output import RESULT_FILE, read_result
from otterflow.workloads.definition import DriverSettings, load_benchmark

DOCS = Path(__file__).parents[2] / "docs"
TEXT = "".join(
    (DOCS / f"{name}.md").read_text() for name in ("shipped_benchmarks", "own_benchmarks", "own_metrics", "replay")
)
BLOCKS = [yaml.safe_load(block) for block in re.findall(r"^```yaml\n(.*?)^```", TEXT, re.M | re.S)]
FILES = [block for block in BLOCKS if "name" in block and "workload" in block]
PARTS = [block for block in BLOCKS if set(block) == {"workload"}]
SHOP = (
    "session.sql",
    "replay.py",
    "load/10_schema.sql",
    "queries/a_query.sql",
    "scripts/order.sql",
    "scripts/report.sql",
)

LUA = {"scripts/order.sql": ".lua", "scripts/report.sql": ".lua"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What the shown files speak of, beside them."""
    for name in SHOP:
        for path in (tmp_path / "shop" / name, (tmp_path / "shop_lua" / name).with_suffix(LUA.get(name, ".sql"))):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("SELECT 1;\n")
    return tmp_path


@pytest.mark.parametrize("record", FILES, ids=lambda record: f"{record['name']}-{record['workload']['driver']}")
def test_a_whole_file(folder: Path, record: dict[str, object]) -> None:
    path = folder / f"{record['name']}.yaml"
    path.write_text(yaml.safe_dump(record))
    assert workload_for(load_benchmark(path), DBMS).programs()


@pytest.mark.parametrize("record", PARTS, ids=lambda record: record["workload"]["driver"])
def test_a_workload_block(record: dict[str, object]) -> None:
    TypeAdapter(DriverSettings).validate_python(record["workload"])


def test_each_driver_that_takes_settings_of_ones_own_is_shown() -> None:
    shown = {block["workload"]["driver"] for block in FILES + PARTS}
    assert shown >= {"analytics", "pgbench_scripts", "command", "batch", "sysbench", "sysbench_scripts", "benchbase"}


def test_the_line_of_json_is_a_result() -> None:
    lines = [line for line in TEXT.splitlines() if line.startswith('{"throughput"')]
    assert len(lines) == 1
    timed = [o for o in Objective if o not in TIMES_OF_WORK]
    assert read_result({RESULT_FILE: lines[0]}, timed).errors == 0
