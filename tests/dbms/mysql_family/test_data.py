from __future__ import annotations

import pytest

from otterflow.dbms.mariadb.client import CLIENT as MARIADB_CLIENT
from otterflow.dbms.mariadb.data import DATA as MARIADB
from otterflow.dbms.mysql.client import CLIENT as MYSQL_CLIENT
from otterflow.dbms.mysql.data import DATA as MYSQL
from otterflow.dbms.mysql_family.access import CLIENT_FILE
from otterflow.dbms.mysql_family.data import FamilyData
from otterflow.dbms.mysql_family.database import NAME_LENGTH, beside, mark_text
from otterflow.dbms.mysql_family.others import changed
from otterflow.dbms.values import Login
from tests.dbms.conftest import is_bash
from tests.dbms.mysql_family.conftest import SERVICES, target_of

LOGIN = Login("127.0.0.1", 3306, "it's me", "s3cret", None, {}, "connection 'x'")


@pytest.mark.parametrize("kind", SERVICES)
@pytest.mark.parametrize("method", ["dump", "copy"])
@pytest.mark.parametrize("product", ["mariadb", "mysql"])
def test_scripts_are_whole_bash_and_hold_no_secret(product: str, method: str, kind: str) -> None:
    data: FamilyData = MYSQL if product == "mysql" else MARIADB
    client = MYSQL_CLIENT if product == "mysql" else MARIADB_CLIENT
    snapshot = {"dir": "/srv/snap '\"; shots", "method": method}
    target = target_of(dbms=product, service=SERVICES[kind], snapshot=snapshot, database="it's `a` \\ $(bench)")
    access = client.access(LOGIN, target.database)
    for job in (
        data.take_snapshot(target, access, "abc"),
        data.restore_snapshot(target, access, "abc"),
        data.load_dump(target, access, "/srv/it's a dump.sql.gz"),
    ):
        assert is_bash(job.script)
        assert "s3cret" not in job.script + repr(job)
        assert job.files == {CLIENT_FILE: access.option_file()}
    assert is_bash(data.look_at_dump_command("/srv/it's.sql", target))
    assert is_bash(data.data_dir_size_command(target))


def test_each_products_dump_is_told_what_it_alone_knows() -> None:
    target = target_of(dbms="mysql", snapshot={"dir": "/srv/s", "method": "dump", "jobs": 3})
    script = MYSQL.take_snapshot(target, MYSQL_CLIENT.access(LOGIN, "bench"), "abc").script
    assert "/usr/sbin/mysqldump" in script
    assert "--set-gtid-purged=OFF" in script
    assert "-ge 3" in script
    script = MARIADB.take_snapshot(target, MARIADB_CLIENT.access(LOGIN, "bench"), "abc").script
    assert "/usr/sbin/mariadb-dump" in script
    assert "gtid" not in script


def test_what_stands_beside_a_database_has_a_name_of_its_own_that_is_not_too_long() -> None:
    assert beside("bench") == ("bench_otterflow_new", "bench_otterflow_old")
    names = {name for base in ("x" * 64, "x" * 63 + "y", "x" * 50) for name in beside(base)}
    assert len(names) == 6
    assert max(map(len, names)) <= NAME_LENGTH


@pytest.mark.parametrize("fingerprint", ["", "two words", "it's", "a\\b"])
def test_a_mark_holds_a_word(fingerprint: str) -> None:
    with pytest.raises(ValueError, match="one word"):
        mark_text(fingerprint, "fresh")


def test_what_was_changed_is_named_once() -> None:
    before = "privileges of 'a'@'%'\tSELECT NO\nprivileges of 'b'@'%'\tUSAGE NO\n"
    now = [{"fact": "privileges of 'b'@'%'\tUSAGE NO"}, {"fact": "privileges of 'a'@'%'\tINSERT NO"}]
    assert changed(before, now) == ["privileges of 'a'@'%'"]
    assert changed(before, [{"fact": line} for line in before.splitlines()]) == []
