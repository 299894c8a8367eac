from __future__ import annotations

import os
import subprocess

import pytest

from otterflow.remote.framing import BEGINS, ENDS, FramedOutput, framed, own_stderr


def output_of(*parts: bytes, most: int = 100) -> FramedOutput:
    output = FramedOutput(most)
    for part in parts:
        output.add(part)
    return output


@pytest.mark.parametrize("step", [1, 7, 1000])
def test_a_greeting_and_a_farewell_are_not_the_commands(step: int) -> None:
    stream = b"Welcome to db1" + BEGINS + b"psql\nno newline" + ENDS + b"Goodbye\n"
    output = output_of(*(stream[at : at + step] for at in range(0, len(stream), step)))
    assert (output.text, output.truncated, output.outside) == ("psql\nno newline", False, "Welcome to db1")


@pytest.mark.parametrize(("size", "truncated"), [(99, False), (100, False), (101, True), (500, True)])
def test_the_limit_is_the_commands_own(size: int, truncated: bool) -> None:
    output = output_of(b"Welcome\n" * 100, BEGINS, b"x" * size, ENDS, b"Goodbye\n" * 100)
    assert (output.text, output.truncated) == ("x" * min(size, 100), truncated)


def test_a_shell_that_never_ran_is_told_from_a_program_that_is_missing() -> None:
    nologin = output_of(b"This account is currently not available.\n")
    assert (nologin.shell_ran, nologin.outside) == (False, "This account is currently not available.\n")
    assert output_of(b"hello\n", ENDS).shell_ran
    assert output_of(BEGINS).shell_ran


def test_a_greeting_on_stderr_is_dropped() -> None:
    assert own_stderr(b"Welcome\n" + BEGINS + b"no such unit\n") == "no such unit\n"
    assert own_stderr(b"the line scrolled away\n") == "the line scrolled away\n"


@pytest.mark.parametrize("variables", [{"LC_ALL": "de_DE.UTF-8"}, {"LANG": "de_DE.UTF-8", "LC_NUMERIC": "de_DE.UTF-8"}])
def test_messages_are_asked_for_in_english_and_all_else_stays(variables: dict[str, str]) -> None:
    command = framed('echo "$LANG/$LC_ALL/$LC_MESSAGES/$LC_NUMERIC"', "env")
    done = subprocess.run(command, shell=True, env={"PATH": os.environ["PATH"], **variables}, capture_output=True)
    assert output_of(done.stdout).text == "de_DE.UTF-8//C/C\n"
