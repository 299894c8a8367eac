from __future__ import annotations

import base64
import shlex
import subprocess

import pytest

from otterflow.remote.job_commands import (
    JobPaths,
    JobState,
    Poll,
    cleanup_command,
    fetch_command,
    kill_command,
    list_command,
    parse_fetch,
    parse_poll,
    poll_command,
    start_command,
    start_input,
)

HOSTILE_DIR = '/tmp/it\'s; rm -rf "$HOME" `id`'
PATHS = JobPaths(HOSTILE_DIR, "demo-0001.run1")

COMMANDS = {
    "start": start_command(PATHS, 12.5),
    "poll": poll_command(PATHS, 7, 2.5),
    "fetch": fetch_command(PATHS, ["a", "b.json"], 10),
    "kill": kill_command(PATHS),
    "cleanup": cleanup_command(PATHS),
    "list": list_command(HOSTILE_DIR, "demo'"),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_whole_bash_with_its_paths_quoted(name: str) -> None:
    command = COMMANDS[name]
    assert subprocess.run(["bash", "-n", "-c", command], capture_output=True).returncode == 0
    assert HOSTILE_DIR in " ".join(shlex.split(command, comments=True)) or name == "start"


@pytest.mark.parametrize("job_id", ["", ".", "..", "a/b", "a b", "a;b", "a\nb", "é", "x" * 181])
def test_a_job_id_that_could_leave_its_folder_is_refused(job_id: str) -> None:
    with pytest.raises(ValueError, match="job_id"):
        JobPaths("/tmp/w", job_id)


@pytest.mark.parametrize("name", ["../x", "a/b", "", "..", "a b"])
def test_a_file_name_that_could_leave_the_job_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="file name"):
        start_input("true", {name: ""})
    with pytest.raises(ValueError, match="file name"):
        fetch_command(PATHS, [name], 1)


def test_the_secret_is_in_the_input_and_not_in_the_command() -> None:
    text = start_input("true", {"pgpass": "h:1:*:u:s3cret\n"})
    assert base64.b64encode(b"h:1:*:u:s3cret\n").decode() in text
    assert "pgpass" not in start_command(PATHS, 5)


def test_paths() -> None:
    paths = JobPaths("/tmp/otterflow/", "x-1")
    assert (paths.root, paths.files) == ("/tmp/otterflow/jobs/x-1", "/tmp/otterflow/jobs/x-1/files")


@pytest.mark.parametrize(
    ("text", "poll"),
    [
        ("absent - 0\n", Poll(JobState.absent, None, b"", 0)),
        ("running - 5\naGVsbG8=", Poll(JobState.running, None, b"hello", 5)),
        ("finished 124 5\naGVsbG8=\n", Poll(JobState.finished, 124, b"hello", 5)),
        ("lost - 0\n", Poll(JobState.lost, None, b"", 0)),
    ],
)
def test_poll_answers(text: str, poll: Poll) -> None:
    assert parse_poll(text) == poll


@pytest.mark.parametrize("text", ["", "bash: no such command", "running", "gone - 0\n", "finished x 0\n"])
def test_anything_else_is_no_poll_answer(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 the message is the value's own
        parse_poll(text)


def test_fetched_files() -> None:
    assert parse_fetch("a aGVsbG8=\nempty \n") == {"a": "hello", "empty": ""}
