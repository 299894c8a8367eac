"""What is wrong with a target, all of it at once, from what was seen: each problem with what to do."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from otterflow.dbms import host_checks
from otterflow.dbms.host_probe import Probe, look_command, may_sudo_records, parse_probe
from otterflow.dbms.mysql_family.access import CLIENT_FILE
from otterflow.dbms.mysql_family.privileges import cannot_set_global, missing_privileges, rights
from otterflow.dbms.mysql_family.processes import SYSTEM_PROGRAMS
from otterflow.dbms.mysql_family.product import Product
from otterflow.dbms.mysql_family.programs import program
from otterflow.dbms.mysql_family.reach import reach_command, reach_problem
from otterflow.dbms.mysql_family.target import OwnServer
from otterflow.dbms.mysql_family.versions import major_of, number_of, shown
from otterflow.dbms.target import SnapshotMethod, SystemdService, Target
from otterflow.dbms.values import DatabaseAccess, Privileges, Query
from otterflow.errors import Problem
from otterflow.remote import host_facts
from otterflow.remote.host_facts import HostReport
from otterflow.remote.session import Session


class FamilyChecks:
    """The part `checks` for one product; see `otterflow.dbms.base.Checks`."""

    def __init__(self, product: Product) -> None:
        self.product = product

    def may_ask(self, query: Query, target: Target, *, live: bool) -> Privileges:
        """What the SQL user may do on the target, and what it lacks for tuning it.

        Of a `live` server also whether it can change a knob without a restart, which a promotion does without.
        Settings are told to everybody. A database is its makers' and nobody's: there is none that it does not own.
        """
        has = rights(query, target.database)
        problems = missing_privileges(has, target, live=live)
        limits = cannot_set_global(has, target, self.product) if live else []
        return Privileges(reads_all=True, problems=problems, not_owned=[], limits=limits)

    def look_at_host(
        self, session: Session, target: Target, *, live: bool, data_directory: str | None, version: int | None
    ) -> list[Problem]:
        """Programs, folders, log, service: what the target file says against the host, in one round trip."""
        names = self.required_programs(target, live=live)
        command = self.probe_command(target, names, data_directory=data_directory)
        said = session.run(command, what="looking at the target", timeout_s=host_checks.LOOK_S).stdout
        return self.problems(parse_probe(said), target, names, version=version, live=live)

    def look_from_host(
        self, session: Session, target: Target, access: DatabaseAccess, *, own_programs: bool, field: str, host: str
    ) -> Problem | None:
        """Whether commands on `host` reach the server, called as the setting `field` says."""
        command = reach_command(self.product, target, bin_dir=own_programs)
        stdin = access.files()[CLIENT_FILE]
        done = session.run(command, what="reaching the server", timeout_s=host_checks.LOOK_S, stdin=stdin)
        return reach_problem(done.stdout, access, field, host)

    def host_facts_command(self, target: Target) -> str:
        """What `remote.host_facts` reads, of this server's process and the folders that otterflow writes to."""
        return host_facts.host_facts_command(
            target.data_dir, host_checks.space_paths(target), programs=self.product.processes
        )

    def space_problems(self, report: HostReport, target: Target, sizes: Mapping[str, int]) -> list[Problem]:
        """File systems with too little room."""
        return host_checks.space_problems(report, target, sizes)

    def required_programs(self, target: Target, *, live: bool) -> list[str]:
        """The product's programs that the target's service and snapshot method call; no dumps of a `live` one."""
        names = [self.product.admin, self.product.client]
        if isinstance(target.service, OwnServer):
            names.append(self.product.server)
        if target.snapshot.method is SnapshotMethod.dump and not live:
            names.append(self.product.dump)
        return names

    def probe_command(self, target: Target, names: Sequence[str], *, data_directory: str | None = None) -> str:
        """One bash command that looks at everything; `data_directory` is what the server says of it, where asked."""
        paths = {name: program(target, name) for name in names}
        looked = look_command(target, paths, [_DATA, *_service_records(target)], data_directory=data_directory)
        return f"{SYSTEM_PROGRAMS}\n{looked}"

    def problems(
        self, probe: Probe, target: Target, names: Sequence[str], *, version: int | None, live: bool
    ) -> list[Problem]:
        """All that is wrong with what the probe saw; `version` is the server's number, where it is known."""
        found = host_checks.host_problems(probe, target, names, live=live)
        if version is not None:
            found += self._versions(probe, target, version)
        return found if live else found + _copy(probe, target)

    def _versions(self, probe: Probe, target: Target, version: int) -> list[Problem]:
        found, major = [], major_of(version)
        if major < self.product.versions[0]:
            state = f"is {self.product.title} {shown(major)}"
            found.append(Problem("server", state, f"otterflow tunes {self.product.title} {self.product.version_range}"))
        program_version = _version_of(probe["program", self.product.server])
        if isinstance(target.service, OwnServer) and program_version not in (None, major):
            state = f"{self.product.server} is of version {shown(program_version or 0)}, the server of {shown(major)}"
            found.append(Problem("bin_dir", state, f"set bin_dir to the programs of version {shown(major)}"))
        return found


def _service_records(target: Target) -> Iterable[str]:
    if isinstance(target.service, SystemdService):
        yield from may_sudo_records(["systemctl", verb, target.service.unit] for verb in ("start", "stop"))


def _copy(probe: Probe, target: Target) -> list[Problem]:
    """What keeps a copy of the data directory from holding all data."""
    if target.snapshot.method is not SnapshotMethod.copy:
        return []
    found = []
    if probe["data", "readable"] != "yes" and not probe["data", "aside"]:
        state = f"{target.data_dir} cannot be read by {probe.user!r}"
        found.append(Problem("snapshot.method", state, "copy needs the server's own user over SSH; or use dump"))
    if probe["data", "whole"] == "no":
        state = f"{target.data_dir} has links in it, or is mounted"
        found.append(Problem("snapshot.method", state, "a copy would not hold all data; use dump"))
    return found


def _version_of(line: str) -> int | None:
    """The major version in `mariadbd  Ver 10.11.19-MariaDB-0+deb12u1 for debian-linux-gnu`."""
    match = re.search(r"Ver (\d+\.\d+\.\d+)", line)
    return major_of(number_of(match[1])) if match else None


_DATA = """if [ -r "$data/ibdata1" ] && [ -x "$data" ]; then record data readable yes; fi
if [ -n "$(find "$data" -maxdepth 2 \\( -type l -o -name '*.isl' \\) -print -quit 2> /dev/null)" ] ||
  mountpoint -q -- "$data"; then record data whole no; fi"""
