"""What a checkout makes outside of its folder: names of its own, foreign files kept, everything taken back."""

from __future__ import annotations

import grp
import os
import pwd
import re
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from stack.belongings import take_back
from stack.checkout import PROJECT, Checkout
from stack.free_cache import FreeCacheRule
from stack.processes import StackError, running_as, wait_until
from stack.users import ServerUser, server_user

ASK = [
    sys.executable,
    "-c",
    "import sys, time; from pathlib import Path; from stack.checkout import Checkout; from stack.users import *\n"
    "print(server_user(Checkout(Path(sys.argv[1]))).uid, flush=True); time.sleep(600)",
]
"""Another process that asks for the user of the checkout in the folder named last, and uses it until it is ended."""
USER = ServerUser("somebody", 4711, 4711, borrowed=True)


def checkout_in(folder: Path) -> Checkout:
    (folder / "stack").mkdir(parents=True)
    return Checkout(folder)


@pytest.fixture
def checkout(tmp_path: Path) -> Iterator[Checkout]:
    """A checkout of this test alone; whatever the test did, the machine has nothing of it afterwards."""
    one = checkout_in(tmp_path / "here")
    yield one
    assert take_back(one, tmp_path / "no-demo") == ""


@pytest.fixture
def rule(tmp_path: Path) -> FreeCacheRule:
    for name in ("sbin", "sudoers.d"):
        (tmp_path / name).mkdir()
    return FreeCacheRule(checkout_in(tmp_path / 'it\'s "here" \\'), tmp_path / "sbin", tmp_path / "sudoers.d")


def test_two_checkouts_have_names_of_their_own_and_none_is_a_users(tmp_path: Path) -> None:
    checkouts = [checkout_in(tmp_path / name) for name in ("one", "two")]
    names = {one.name for one in checkouts}
    assert len(names) == 2
    assert all(re.fullmatch(r"[a-z][a-z0-9-]{0,31}", name) for name in names)
    rules = [FreeCacheRule(one) for one in checkouts]
    paths = {path for one in rules for path in (one.script, one.sudoers)}
    assert len(paths) == 4
    for advised in ("/etc/sudoers.d/otterflow", "/usr/local/sbin/otterflow-free-cache"):
        assert Path(advised) not in paths, "the files that the README tells a user to write"


def test_a_checkout_reached_over_a_link_is_the_same(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "here")
    assert checkout_in(tmp_path / "here").name == Checkout(tmp_path / "link").name


def test_script_and_rule_are_sound_and_taken_back(rule: FreeCacheRule, tmp_path: Path) -> None:
    rule.install(USER)
    rule.install(USER)
    assert stat.S_IMODE(rule.script.stat().st_mode) == 0o755
    assert stat.S_IMODE(rule.sudoers.stat().st_mode) == 0o440
    subprocess.run(["shellcheck", rule.script], check=True)
    assert rule.script.read_text().startswith("#!/bin/sh\n# made by otterflow-")
    assert rule.sudoers.read_text().splitlines()[-1] == f'somebody ALL=(root) NOPASSWD: {rule.script} ""'
    rule.revoke()
    assert [*rule.script_dir.iterdir(), *rule.sudoers_dir.iterdir()] == []


@pytest.mark.parametrize("which", ["script", "sudoers"])
@pytest.mark.parametrize("kind", ["file", "link", "dead link"])
def test_a_file_that_is_somebody_elses_is_neither_replaced_nor_removed(
    rule: FreeCacheRule, tmp_path: Path, which: str, kind: str
) -> None:
    path: Path = getattr(rule, which)
    theirs = path if kind == "file" else tmp_path / "theirs"
    if kind != "dead link":
        theirs.write_text("theirs\n")
    if kind != "file":
        path.symlink_to(theirs)
    with pytest.raises(StackError, match=f"{path} exists and lacks our line .*somebody else's. Move it away"):
        rule.install(USER)
    rule.revoke()
    assert os.path.lexists(path)
    assert path.is_symlink() == (kind != "file")
    assert kind == "dead link" or path.read_text() == "theirs\n"
    assert len([*rule.script_dir.iterdir(), *rule.sudoers_dir.iterdir()]) == 1


@pytest.mark.integration
def test_the_servers_user_is_made_and_taken_back(checkout: Checkout, tmp_path: Path) -> None:
    user = server_user(checkout)
    if not user.borrowed:
        assert user.uid == os.geteuid(), "an ordinary user runs the servers itself, and makes no other"
        return
    entry = pwd.getpwnam(checkout.name)
    assert (user.name, user.uid) == (checkout.name, entry.pw_uid)
    assert Path(entry.pw_dir).stat().st_uid == user.uid
    assert server_user(checkout) == user
    left_by_a_killed_run = subprocess.Popen(user.command("sleep", "600"), stdin=subprocess.DEVNULL)
    wait_until(lambda: bool(running_as(user.uid)), timeout_s=10, what="sleep runs", log=tmp_path / "none")
    assert take_back(checkout, tmp_path / "no-demo") == ""
    left_by_a_killed_run.wait(timeout=10)
    assert not Path(entry.pw_dir).exists()
    with pytest.raises(KeyError):
        pwd.getpwnam(checkout.name)
    with pytest.raises(KeyError):
        grp.getgrnam(checkout.name)


@pytest.mark.integration
def test_processes_that_start_at_once_make_one_user(checkout: Checkout) -> None:
    asking = [subprocess.Popen([*ASK, checkout.folder], cwd=PROJECT, stdout=subprocess.PIPE) for _ in range(4)]
    told = {process.stdout.readline() for process in asking if process.stdout}
    for process in asking:
        process.kill()
        process.wait()
    assert len(told) == 1
    names = [entry.pw_name for entry in pwd.getpwall()]
    assert names.count(checkout.name) == (1 if os.geteuid() == 0 else 0)


@pytest.mark.integration
def test_the_user_stays_while_another_process_uses_it_and_goes_after_that_was_killed(
    checkout: Checkout, tmp_path: Path
) -> None:
    other = subprocess.Popen([*ASK, checkout.folder], cwd=PROJECT, stdout=subprocess.PIPE, text=True)
    assert other.stdout is not None
    uid = int(other.stdout.readline())
    if uid == os.geteuid():  # an ordinary user: nothing was made
        other.kill()
        other.wait()
        return
    assert uid == server_user(checkout).uid
    assert "another process of this checkout" in take_back(checkout, tmp_path / "no-demo")
    assert pwd.getpwnam(checkout.name).pw_uid == uid
    other.kill()
    other.wait()
    assert take_back(checkout, tmp_path / "no-demo") == ""
    with pytest.raises(KeyError):
        pwd.getpwnam(checkout.name)


@pytest.mark.integration
def test_the_user_stays_while_the_demos_files_are_its_own(checkout: Checkout, tmp_path: Path) -> None:
    user = server_user(checkout)
    (tmp_path / "state" / "lab").mkdir(parents=True)
    left = take_back(checkout, tmp_path / "state")
    assert ("`make clean` removes both" in left) == user.borrowed
    assert pwd.getpwuid(user.uid).pw_name == user.name


@pytest.mark.integration
def test_a_user_of_that_name_whom_somebody_else_made_is_refused_and_kept(checkout: Checkout, tmp_path: Path) -> None:
    if os.geteuid() != 0:
        assert server_user(checkout).uid == os.geteuid()
        return
    subprocess.run(["useradd", "--no-create-home", "--comment", "theirs", checkout.name], check=True)
    try:
        with pytest.raises(StackError, match="was not made by this checkout"):
            server_user(checkout)
        assert take_back(checkout, tmp_path / "no-demo") == ""
        assert pwd.getpwnam(checkout.name).pw_gecos == "theirs"
    finally:
        subprocess.run(["userdel", checkout.name], check=True)


@pytest.mark.integration
def test_make_clean_takes_back_what_a_killed_demo_has_left(tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    for name in ("stack", "plugins", "scripts", "include"):
        shutil.copytree(PROJECT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(PROJECT / "Makefile", copy)
    (copy / ".venv").symlink_to(sys.prefix)
    code = (
        "import os, signal; from stack.lab import *; from stack.users import server_user\n"
        "user = server_user(); folder = lab_folder(STATE); user.make_dir(folder / 'host')\n"
        "FreeCacheRule().grant(user); print(folder, flush=True); os.kill(os.getpid(), signal.SIGKILL)"
    )
    environment = os.environ | {"PYTHONPATH": f"{copy / 'plugins'}:{copy}"}
    killed = subprocess.run([sys.executable, "-c", code], cwd=copy, env=environment, capture_output=True, text=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    lab = Path(killed.stdout.strip())
    assert lab.is_dir()
    one = Checkout(copy)
    uid = server_user(one).uid
    one.release()
    subprocess.run(["make", "-s", "-C", copy, "clean"], check=True, env=os.environ | {"PYTHONPATH": ""})
    assert not lab.exists()
    assert not (copy / ".demo").exists()
    assert not FreeCacheRule(one).script.exists()
    assert not FreeCacheRule(one).sudoers.exists()
    assert uid == os.geteuid() or running_as(uid) == []
    assert one.name not in {entry.pw_name for entry in pwd.getpwall()}
