"""Which settings and statement texts are never told, and that nothing which is tuned is among them."""

from __future__ import annotations

from pathlib import Path

import pytest

from otterflow import settings
from otterflow.dbms.postgresql.dbms import DBMS
from otterflow.dbms.postgresql.metric_queries import collect_sql
from otterflow.dbms.postgresql.secrets import MAY_HOLD_SECRETS, file_problems, is_withheld
from otterflow.knobs.catalog import load_catalog

CATALOG = Path(__file__).resolve().parents[2] / "include" / "knob_catalogs" / "postgresql.yaml"


def test_a_secret_in_the_knobs_file_is_to_be_moved_before_its_text_is_kept() -> None:
    problems = file_problems(["work_mem", "primary_conninfo", "app.jwt_secret", "password_encryption"], "/k.conf")
    assert [problem.found.split()[2].rstrip(",") for problem in problems] == ["primary_conninfo", "app.jwt_secret"]
    assert all("move the line" in problem.advice for problem in problems)


@pytest.mark.parametrize("name", [*MAY_HOLD_SECRETS, "Primary_ConnInfo", "vault.token", "fork_admin_password"])
def test_what_may_hold_a_secret_is_known_by_its_name(name: str) -> None:
    assert is_withheld(name)


def test_no_knob_of_the_catalog_is_withheld() -> None:
    """It could not be read back."""
    assert not [
        knob.name
        for knob in load_catalog(CATALOG, dbms=DBMS.name, versions=DBMS.versions).knobs
        if is_withheld(knob.name)
    ]


def test_without_the_switch_no_text_is_asked_for() -> None:
    there = {"pg_stat_statements": "public.pg_stat_statements"}
    assert "CASE WHEN false THEN to_jsonb(v) ELSE to_jsonb(v) - 'query' END" in collect_sql(there, texts=False)
    assert "v.query ~*" in collect_sql(there)


def test_the_home_is_closed_to_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    monkeypatch.setenv("OTTERFLOW_HOME", str(home))
    assert settings.private_home().stat().st_mode & 0o777 == 0o700
    home.chmod(0o755)
    assert settings.private_home().stat().st_mode & 0o777 == 0o700
