"""Acting on a server in one's turn: every command that changes something there goes through here.

What the repository says of a target keeps one Airflow's experiments and runs apart. This keeps apart what it cannot
see: another Airflow with a repository of its own, a second target file, and a task that was overtaken by another one
of its run, such as a restart that is still at work when `recover` begins.
"""

from __future__ import annotations

import logging
import socket
import uuid
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from otterflow.dbms.registry import dbms_named
from otterflow.errors import CommandFailed, MachineryFault, MayNotAct, Overtaken
from otterflow.remote.host_lock import (
    BUSY,
    HELD,
    NO_TURN,
    HostLock,
    acting_command,
    lock_path,
    owner_of,
    release_command,
    take_command,
)

if TYPE_CHECKING:
    from otterflow.dbms.target import Target
    from otterflow.remote.session import Completed, Session
    from otterflow.repository import Experiment, Repository

log = logging.getLogger(__name__)

LOOK_S = 30
"""How long a command waits for the one before it, once it is known whose turn it is."""


@dataclass(frozen=True)
class ServerIdentity:
    """Which server it is, by what it says itself: its cluster, its data directory and its host's name."""

    system: str
    data_directory: str
    host: str

    def __str__(self) -> str:
        return f"cluster {self.system} in {self.data_directory} on {self.host}"

    @property
    def lock_path(self) -> str:
        """Its lock on the host. A copy of the cluster in another folder is another server."""
        return lock_path(f"{self.system}-{sha256(self.data_directory.encode()).hexdigest()[:8]}")

    @classmethod
    def parse(cls, text: str) -> ServerIdentity | None:
        """The identity that was written as text; None where there is none."""
        system, found, rest = text.removeprefix("cluster ").partition(" in ")
        data_directory, on, host = rest.rpartition(" on ")
        return cls(system, data_directory, host) if found and on else None


class Fence:
    """The lock of a target's server, as one task of one experiment passes it."""

    def __init__(self, identity: ServerIdentity, target: Target, owner: str, repository: Repository) -> None:
        """`owner` begins with the experiment's name; see `owner_name`."""
        self.path = identity.lock_path
        self._wait_s = round(dbms_named(target.dbms).service.restart_limit_s(target))
        self._target = target.name
        self._turn = f"{socket.gethostname()} {uuid.uuid4().hex}"
        self._has_turn = False
        about = {
            "experiment": owner.partition(" ")[0],
            "target": target.name,
            "airflow": f"on host {socket.gethostname()}, with {repository.name}",
            "break": f"only if that Airflow is gone: rm -r {self.path}",
        }
        self._lock = HostLock(self.path, owner, about)

    def take(self, session: Session, repository: Repository) -> None:
        """Take the lock for the experiment. Raises MayNotAct that names the holder if it is another's.

        One that an experiment of this repository has left behind, and does not need any more, is replaced.
        """
        done = self._run(session, take_command(self._lock, self._wait_s), self._wait_s)
        if done.exit_code == HELD and (left := owner_of(done.stderr)) and is_left_behind(repository, left):
            log.warning("the lock of %s is taken over: %s has given its target free", self._target, left)
            done = self._run(session, take_command(self._lock, self._wait_s, instead_of=left), self._wait_s)
        self._raise_if_refused(done)
        if done.exit_code != 0:
            raise CommandFailed(f"locking the server of {self._target}", done.exit_code, done.stderr)

    def begin_turn(self, session: Session) -> None:
        """Begin to act: wait for the command that acts at this moment, and let nobody who acted before go on."""
        self.run(session, "true", what="taking the turn on the server", timeout_s=LOOK_S)

    def check_turn(self, session: Session) -> None:
        """Raise Overtaken if another task has acted since this one began to; nothing if this one has not begun."""
        if self._has_turn:
            self.run(session, "true", what="looking whose turn it is on the server", timeout_s=LOOK_S)

    def run(
        self, session: Session, command: str, *, what: str, timeout_s: float, stdin: str | None = None
    ) -> Completed:
        """Run a command that acts; its exit code is not looked at.

        Raises Overtaken or MayNotAct, and has touched nothing, where it is another's turn or another holds the server.
        """
        wait_s = LOOK_S if self._has_turn else self._wait_s
        fenced = acting_command(self._lock, self._turn, command, wait_s, first=not self._has_turn)
        done = session.run(fenced, what=what, timeout_s=timeout_s + wait_s, stdin=stdin, check=False)
        self._raise_if_refused(done)
        self._has_turn = True
        return done

    def release(self, session: Session) -> None:
        """Give the lock free. A host that cannot be reached keeps it; this repository's experiments replace it."""
        try:
            self._run(session, release_command(self._lock), LOOK_S)
        except MachineryFault as error:
            log.warning("the lock %s on the host of %s stays behind: %s", self.path, self._target, error)

    def _run(self, session: Session, command: str, timeout_s: float) -> Completed:
        what = f"the lock of the server of {self._target}"
        return session.run(command, what=what, timeout_s=timeout_s + LOOK_S, check=False)

    def _raise_if_refused(self, done: Completed) -> None:
        said = "; ".join(done.stderr.strip().splitlines())
        if done.exit_code == HELD:
            raise MayNotAct(
                f"target: the server of {self._target!r} is held by another experiment, perhaps of another Airflow: "
                f"{said}; wait for its end, or if that Airflow is gone, run on the host: rm -r {self.path}"
            )
        if done.exit_code == NO_TURN:
            raise Overtaken(
                f"another task of this experiment has begun to act on the server of {self._target!r} since this one "
                f"did ({said}); this one has stopped, and leaves the server to it"
            )
        if done.exit_code == BUSY:
            raise MachineryFault(f"the server of {self._target!r}: {said}; clear this task when that has ended")


def owner_name(experiment: Experiment) -> str:
    """What tells an experiment from those of its name in other repositories: when it was made."""
    return f"{experiment.name} {experiment.created_at.isoformat()}"


def is_left_behind(repository: Repository, owner: str) -> bool:
    """Whether a lock's owner is an experiment of this repository that does not hold its target any more."""
    name = owner.partition(" ")[0]
    known = {owner_name(experiment): experiment for experiment in repository.experiments() if experiment.name == name}
    return owner in known and repository.holder(known[owner].target) != name
