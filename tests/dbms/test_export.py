"""A configuration of PostgreSQL as other tools' files, each read by its tool's parser or a strict one."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import pytest

from otterflow.dbms.bundle.parameter_group import hcl, plain
from otterflow.dbms.bundle.values import Bundle, group_name, one_line
from otterflow.dbms.postgresql import configuration_file, export
from otterflow.dbms.postgresql.dbms import DBMS
from otterflow.knobs.catalog import KnobCatalog
from otterflow.knobs.setting import LiveSetting
from otterflow.knobs.space import Value
from tests.dbms.bundles import (
    HOSTILE,
    order_of,
    parameters_of,
    playbook_of,
    read_yaml,
    run_apply,
    terraform_of,
)

CONFIG: dict[str, Value] = {
    "shared_buffers": 262144,
    "work_mem": 65536,
    "random_page_cost": 1.1,
    "jit": False,
    "wal_compression": "lz4",
    "max_wal_size": 4096,
    "wal_log_hints": True,
    "max_worker_processes": 1,
    "fsync": False,
}
SPELT = {
    "shared_buffers": "2GB", "work_mem": "64MB", "random_page_cost": "1.1", "jit": "off", "wal_compression": "lz4",
    "max_wal_size": "4GB", "wal_log_hints": "on", "max_worker_processes": "1", "fsync": "off",
}  # fmt: skip
EVERYWHERE = SPELT.keys() - {"wal_log_hints", "max_worker_processes"}


@pytest.fixture
def bundle(live: dict[str, LiveSetting]) -> Bundle:
    return export.bundle(order_of(live, CONFIG, 15))


def test_the_file_says_each_value_and_where_it_comes_from(bundle: Bundle) -> None:
    text = bundle.files["knobs.conf"]
    assert configuration_file.parse(text) == SPELT
    assert "# found in trial 3\nshared_buffers = 2GB\n" in text


def test_sql_sets_and_takes_back_and_names_what_waits_for_a_restart(bundle: Bundle) -> None:
    text = bundle.files["alter_system.sql"]
    assert dict(re.findall(r"^ALTER SYSTEM SET (\w+) = '(.*)';$", text, re.MULTILINE)) == SPELT
    assert text.endswith("-- a restart brings into force: max_worker_processes, shared_buffers, wal_log_hints\n")
    undo = bundle.files["alter_system_undo.sql"]
    assert set(re.findall(r"^ALTER SYSTEM RESET (\w+);$", undo, re.MULTILINE)) == SPELT.keys()
    assert "SELECT pg_reload_conf();" in text
    assert "SELECT pg_reload_conf();" in undo


def test_what_alter_system_had_set_before_is_set_back(live: dict[str, LiveSetting]) -> None:
    from dataclasses import replace

    set_so = {"work_mem": replace(live["work_mem"], sourcefile="/srv/data/postgresql.auto.conf")}
    undo = export.bundle(order_of(set_so, {"work_mem": 65536}, 15)).files["alter_system_undo.sql"]
    assert "ALTER SYSTEM SET work_mem = '4MB';" in undo
    assert "RESET" not in undo


def test_ansible_writes_the_file_and_restarts_only_where_it_must(bundle: Bundle, live: dict[str, LiveSetting]) -> None:
    play = playbook_of(bundle.files["ansible/playbook.yml"])
    copied = play["tasks"][0]["ansible.builtin.copy"]
    assert configuration_file.parse(copied["content"]) == SPELT
    assert play["vars"]["knobs_file"] == "/etc/postgresql/15/main/conf.d/zz-otterflow.conf"
    assert play["handlers"][0]["ansible.builtin.service"]["state"] == "restarted"
    gentle = playbook_of(export.bundle(order_of(live, {"work_mem": 65536}, 15)).files["ansible/playbook.yml"])
    assert gentle["handlers"][0]["ansible.builtin.service"]["state"] == "reloaded"


def test_operators_of_kubernetes_get_what_they_take_as_texts(bundle: Bundle) -> None:
    cnpg = read_yaml(bundle.files["kubernetes/cloudnative_pg.yaml"])
    assert (cnpg["apiVersion"], cnpg["kind"]) == ("postgresql.cnpg.io/v1", "Cluster")
    assert cnpg["spec"] == {"postgresql": {"parameters": SPELT}}
    zalando = read_yaml(bundle.files["kubernetes/zalando.yaml"])
    assert (zalando["apiVersion"], zalando["kind"]) == ("acid.zalan.do/v1", "postgresql")
    assert zalando["spec"] == {"postgresql": {"parameters": {name: SPELT[name] for name in EVERYWHERE}}}


def test_patroni_gets_a_patch_without_what_it_decides_itself(bundle: Bundle) -> None:
    patch = read_yaml(bundle.files["patroni/patch.yaml"])
    assert patch == {"postgresql": {"parameters": {name: SPELT[name] for name in EVERYWHERE}}}
    assert bundle.left_out["patroni/patch.yaml"] == {
        "wal_log_hints": "Patroni always switches it on, for pg_rewind",
        "max_worker_processes": "Patroni takes no value below 2",
    }


def test_rds_gets_plain_numbers_in_the_servers_own_units(bundle: Bundle) -> None:
    wanted = {
        "shared_buffers": ("262144", "pending-reboot"), "work_mem": ("65536", "immediate"),
        "random_page_cost": ("1.1", "immediate"), "jit": ("0", "immediate"), "wal_compression": ("lz4", "immediate"),
        "max_wal_size": ("4096", "immediate"), "max_worker_processes": ("1", "pending-reboot"),
    }  # fmt: skip
    assert parameters_of(bundle, "rds") == wanted
    found = terraform_of(bundle.files["rds/main.tf"])
    assert (found["type"], found["family"], found["name"]) == ("aws_db_parameter_group", "postgres15", "night-best")
    assert found["parameters"] == wanted
    assert bundle.left_out["rds"].keys() == {"fsync", "wal_log_hints"}


def test_aurora_gets_no_knob_of_what_its_storage_does(bundle: Bundle) -> None:
    found = terraform_of(bundle.files["aurora/main.tf"])
    assert (found["type"], found["family"]) == ("aws_rds_cluster_parameter_group", "aurora-postgresql15")
    assert found["parameters"] == parameters_of(bundle, "aurora")
    assert bundle.left_out["aurora"].keys() == {"fsync", "wal_log_hints", "max_wal_size", "wal_compression"}
    assert not bundle.left_out["aurora"].keys() & found["parameters"].keys()


def test_the_script_asks_what_is_fixed_and_then_sets_all(bundle: Bundle, tmp_path: Path) -> None:
    code, _, calls = run_apply(bundle, "rds", tmp_path)
    assert code == 0
    assert [call.split()[1] for call in calls] == [
        "describe-engine-default-parameters", "describe-db-parameter-groups", "create-db-parameter-group",
        "modify-db-parameter-group",
    ]  # fmt: skip
    assert "--db-parameter-group-name my group --parameters file://parameters-1.json" in calls[-1]


def test_the_script_changes_nothing_where_the_service_refuses_a_knob(bundle: Bundle, tmp_path: Path) -> None:
    code, said, calls = run_apply(bundle, "aurora", tmp_path, fixed="port\twork_mem\tssl")
    assert code == 1
    assert "work_mem cannot be changed in aurora-postgresql15" in said
    assert [call.split()[1] for call in calls] == ["describe-engine-default-cluster-parameters"]


def test_a_knob_whose_name_only_begins_alike_is_not_refused(bundle: Bundle, tmp_path: Path) -> None:
    assert run_apply(bundle, "rds", tmp_path, fixed="autovacuum_work_mem\twork_me.")[0] == 0


@pytest.mark.slow
def test_more_parameters_than_one_call_takes_go_into_more_files(
    live: dict[str, LiveSetting], catalog: KnobCatalog, tmp_path: Path
) -> None:
    config = {name: live[name].value for name in catalog.tunable(15) if name in live}
    found = export.bundle(order_of(live, config, 15))
    assert parameters_of(found, "rds").keys() | found.left_out["rds"].keys() == config.keys()
    assert parameters_of(found, "aurora").keys() | found.left_out["aurora"].keys() == config.keys()
    code, _, calls = run_apply(found, "rds", tmp_path)
    modified = [call for call in calls if " modify-" in f" {call}"]
    assert (code, len(modified)) == (0, -(-len(parameters_of(found, "rds")) // 20))
    assert read_yaml(found.files["kubernetes/cloudnative_pg.yaml"])["spec"]["postgresql"]["parameters"]


def test_what_is_left_out_is_a_knob_that_there_is(catalog: KnobCatalog) -> None:
    tunable = {knob.name for knob in catalog.knobs}
    named: list[Iterable[str]] = [
        export.CLOUDNATIVE_PG_FIXED,
        export.PATRONI_FIXED,
        export.PATRONI_LEAST,
        export.AURORA_FIXED,
    ]
    assert {name for names in named for name in names} - tunable == set()


def test_a_service_that_takes_none_of_the_knobs_gets_no_file(live: dict[str, LiveSetting]) -> None:
    found = export.bundle(order_of(live, {"max_wal_size": 4096}, 15))
    assert not [path for path in found.files if path.startswith("aurora/")]
    assert found.left_out["aurora"].keys() == {"max_wal_size"}
    assert "rds/main.tf" in found.files


def test_no_text_leaves_its_comment(live: dict[str, LiveSetting], tmp_path: Path) -> None:
    quiet, loud = (export.bundle(order_of(live, CONFIG, 15, because=text)) for text in ("x", HOSTILE))
    assert loud.files.keys() == quiet.files.keys()
    assert configuration_file.parse(loud.files["knobs.conf"]) == SPELT
    for path in ("alter_system.sql", "alter_system_undo.sql"):
        without = [[line for line in b.files[path].splitlines() if not line.startswith("--")] for b in (quiet, loud)]
        assert without[0] == without[1]
    for path in ("kubernetes/cloudnative_pg.yaml", "kubernetes/zalando.yaml", "patroni/patch.yaml"):
        assert read_yaml(loud.files[path]) == read_yaml(quiet.files[path])
    play = playbook_of(loud.files["ansible/playbook.yml"])
    assert play["tasks"] == playbook_of(quiet.files["ansible/playbook.yml"])["tasks"]
    assert not re.search(r"\{[{%#]", play["name"])
    assert terraform_of(loud.files["rds/main.tf"]) == terraform_of(quiet.files["rds/main.tf"])
    assert parameters_of(loud, "aurora") == parameters_of(quiet, "aurora")
    code, _, calls = run_apply(loud, "rds", tmp_path)
    assert (code, len(calls)) == (0, 4)


def test_the_dbms_has_its_export() -> None:
    assert DBMS.export is export


@pytest.mark.parametrize(
    ("value", "text"), [(True, "1"), (False, "0"), (7, "7"), (0.9, "0.9"), (2.0, "2"), (-1, "-1"), ("lz4", "lz4")]
)
def test_a_value_for_a_parameter_group_is_plain(value: Value, text: str) -> None:
    assert plain(value) == text


def test_texts_for_groups_comments_and_terraform() -> None:
    assert group_name("Night_7 (best)") == "night-7-best"
    assert group_name("7") == "knobs-7"
    assert group_name("???") == "knobs"
    assert len(group_name("a" * 999)) == 200
    assert one_line("a\n\tb\x00 {{c}} ${d} %{e} */") == "a b { {c}} $ {d} % {e} * /"
    assert len(one_line("x" * 999)) == 300
    assert hcl('a"b\\c${d}%{e}') == '"a\\"b\\\\c$${d}%%{e}"'
