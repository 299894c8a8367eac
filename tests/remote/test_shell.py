from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otterflow.remote.session import bounded, put_command
from otterflow.remote.shell import has_glob, join, quote, quote_glob

HOSTILE = ["; rm -rf /", "$(id)", "`id`", "it's", 'a "b"', "two\nlines", "-n", "", " ", "\\", "*", "é"]


def bash(command: str) -> str:
    return subprocess.run(["bash", "-c", command], capture_output=True, check=True).stdout.decode()


def test_hostile_words_arrive_as_they_are() -> None:
    assert bash("printf '%s\\0' " + join(HOSTILE)).split("\0")[:-1] == HOSTILE


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_any_text_is_one_word(text: str) -> None:
    assert bash(f"printf %s {quote(text)}") == text


def test_a_nul_byte_is_refused() -> None:
    with pytest.raises(ValueError, match="NUL"):
        quote("a\0b")


def test_a_glob_stays_live_and_all_else_is_quoted(tmp_path: Path) -> None:
    folder = tmp_path / "it's $HOME; here"
    folder.mkdir()
    for name in ("a1.log", "a2.log", "b1.log", "a1.txt"):
        (folder / name).touch()
    found = bash(f"printf '%s\\n' {quote_glob(str(folder) + '/[ab]?.log')}").splitlines()
    assert [Path(name).name for name in found] == ["a1.log", "a2.log", "b1.log"]
    assert has_glob("/var/log/*.log")
    assert not has_glob("/var/log/x.log")


def test_a_bounded_command_survives_its_quoting() -> None:
    assert bash(bounded("printf %s " + quote('it\'s "x" $HOME'), 5)) == "@@otterflow begins@@\n" + (
        'it\'s "x" $HOME@@otterflow ends@@\n'
    )


@pytest.mark.slow
def test_a_bounded_command_ends_at_its_limit() -> None:
    done = subprocess.run(["sh", "-c", bounded("trap '' TERM; sleep 30", 0.2).replace("-k 5", "-k 0.2")])
    assert done.returncode == 137
    assert subprocess.run(["sh", "-c", bounded("sleep 30", 0.2)]).returncode == 124


def test_put_needs_the_folder(tmp_path: Path) -> None:
    done = subprocess.run(["bash", "-c", put_command(str(tmp_path / "no" / "f"), 1, 0o600)], input=b"x")
    assert done.returncode != 0
    assert list(tmp_path.iterdir()) == []
