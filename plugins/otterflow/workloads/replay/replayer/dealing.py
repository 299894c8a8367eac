"""Deals a recording's sessions out over the processes of the replayer."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, field

from otterflow.workloads.replay.replayer.mix.mix_run import Share
from otterflow.workloads.replay.replayer.settings import FAST, MixSettings, ReplaySettings
from otterflow.workloads.replay.replayer.spool import Spool, SpooledSession, most_at_once

STATEMENTS_PER_S = 10_000
"""What one process is to send: a fifth of a core or so, with room for bursts (docs/measurements/replay.md)."""
_CLIENT_PER_S = 2_500.0
"""What a client of a mix sends to a server that answers at once and shares its cores with the others."""
CONNECT_AHEAD_S = 1.0
"""A session connects so long before its first statement is due."""


@dataclass
class Hand:
    """The sessions of one process, in the order of their beginning, and how many of them may be open at once."""

    sessions: list[SpooledSession] = field(default_factory=list)
    connections: int = 1


def deal(spool: Spool, settings: ReplaySettings, cores: int | None = None) -> list[Hand]:
    """A hand for each process: as many as the settings say, or else as the recording's rate wants."""
    sessions = spool.sessions
    ahead_s = 0.0 if settings.schedule == FAST else CONNECT_AHEAD_S * settings.factor
    at_once = settings.connections or max(1, most_at_once(sessions, ahead_s))
    wanted = settings.processes or automatic(_rate(spool, settings, at_once), cores or os.cpu_count() or 1)
    number = max(1, min(wanted, at_once, len(sessions)))
    hands = [Hand(connections=at_once // number + (place < at_once % number)) for place in range(number)]
    dealt = [0] * number
    for session in sessions:
        place = min(range(number), key=dealt.__getitem__)
        hands[place].sessions.append(session)
        dealt[place] += session.statements
    if settings.schedule != FAST and settings.connections is None:
        for hand in hands:
            hand.connections = max(1, most_at_once(hand.sessions, ahead_s))
    return hands


def automatic(statements_per_s: float, cores: int) -> int:
    """How many processes such a rate wants: no more than half the cores, for the server may be on the same machine."""
    return max(1, min(math.ceil(statements_per_s / STATEMENTS_PER_S), cores // 2))


def _rate(spool: Spool, settings: ReplaySettings, at_once: int) -> float:
    """Statements a second to expect: the busiest second's, or as many as the server worked through on each connection.

    0 where the recording does not tell how long statements took.
    """
    if settings.schedule != FAST:
        return spool.busiest_per_s * settings.factor
    return at_once * spool.statements / spool.server_s if spool.server_s else 0.0


def shares(settings: MixSettings) -> list[Share]:
    """A share of a mix's clients and rate for each process.

    Where nobody says how many, they are as many as the clients of a quick server would need.
    """
    number = min(
        settings.processes or automatic(_CLIENT_PER_S * settings.clients, os.cpu_count() or 1), settings.clients
    )
    clients = [settings.clients // number + (part < settings.clients % number) for part in range(number)]
    return [
        Share(part, number, mine, None if settings.rate is None else settings.rate * mine / settings.clients)
        for part, mine in enumerate(clients)
    ]


def total(hands: Sequence[Hand]) -> int:
    """How many connections there are at once at most."""
    return sum(hand.connections for hand in hands)
