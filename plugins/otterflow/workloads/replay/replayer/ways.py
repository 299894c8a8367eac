"""The DBMSs that a recording is replayed on: a room each, of which only that of the recording's DBMS is shipped."""

from __future__ import annotations

import importlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from otterflow.dbms.statements.dialect import ROOMS, Dialect
from otterflow.workloads.replay.replayer.answers import Access, Link
from otterflow.workloads.replay.replayer.server_times import Counters
from otterflow.workloads.replay.replayer.settings import RunSettings


@dataclass(frozen=True)
class Way:
    """What differs from one DBMS to another.

    `startup` are the settings that a session begins with, and `completed` adds what the first one's `parameters` say.
    `read_times` reads what the server has counted so far, with the texts of its statements or without.
    """

    dialect: Dialect
    connect: Callable[[Access], Link]
    startup: Callable[[RunSettings], Mapping[str, str]]
    completed: Callable[[Mapping[str, str], Mapping[str, str]], Mapping[str, str]]
    read_times: Callable[[Link, bool], Awaitable[Counters]]


@dataclass(frozen=True)
class Entrance:
    """How the sessions of a run begin: by which way, where, and with which settings."""

    way: Way
    access: Access
    startup: Mapping[str, str]

    def connection(self) -> Link:
        """A connection that is not open yet."""
        return self.way.connect(self.access)


def way_of(dbms: str) -> Way:
    """The way of a DBMS that has recordings."""
    way: Way = importlib.import_module(f"otterflow.workloads.replay.replayer.{ROOMS[dbms]}.way").way_of(dbms)
    return way
