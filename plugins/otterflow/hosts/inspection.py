"""What there is to know of a target before it is tuned, and all that stands in the way.

Every part looks for itself and reports what it finds; a part that needs what another could not give (SQL without SSH)
is left out, so that one fault does not hide the others.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from otterflow.dbms.target import SnapshotMethod
from otterflow.dbms.values import Capability, Privileges, StatementRefused
from otterflow.errors import AccessRefused, CommandTimedOut, InvalidInput, MachineryFault, Problem, TargetNotReady
from otterflow.experiment.arms import knobs_of
from otterflow.experiment.arms import problems as arm_problems
from otterflow.hosts import data, live_server, own_copy, recorded_load, user_metrics
from otterflow.hosts.host import driver_bin_dir
from otterflow.hosts.same_server import identity_of
from otterflow.knobs.catalog import catalog_gaps
from otterflow.knobs.facts import HostFacts
from otterflow.knobs.select import build_space, restrict
from otterflow.knobs.setting import LiveSetting
from otterflow.knobs.space import KnobSpace
from otterflow.remote.files import missing_programs_command, read_if_there_command
from otterflow.remote.host_facts import HostReport, parse_host_facts

if TYPE_CHECKING:
    from otterflow.hosts.fence import ServerIdentity
    from otterflow.hosts.workbench import Workbench
    from otterflow.remote.session import Session

log = logging.getLogger(__name__)

LOOK_S = 60.0
"""Time limit of a command that only looks."""
SIZE_S = 300.0
"""Time limit of measuring the data directory, all of whose files are looked at."""


@dataclass
class Findings:
    """What was found. Everything but `problems` is only whole when there are none."""

    problems: list[Problem] = field(default_factory=list)
    host: HostReport | None = None
    live: dict[str, LiveSetting] = field(default_factory=dict)
    versions: dict[str, Any] = field(default_factory=dict)
    hardware: dict[str, Any] = field(default_factory=dict)
    facts: HostFacts | None = None
    space: KnobSpace | None = None
    rules: dict[str, Any] = field(default_factory=dict)
    baseline_file: str = ""
    catalog_hash: str = ""
    directories: dict[str, Any] = field(default_factory=dict)
    identity: ServerIdentity | None = None
    privileges: Privileges | None = None

    def add(self, problem: Problem | None) -> None:
        """Note a problem, if there is one and it is not known yet."""
        if problem is not None and problem not in self.problems:
            self.problems.append(problem)

    def record(self) -> dict[str, Any]:
        """The arguments of `Repository.prepare_experiment`."""
        if self.space is None or self.facts is None:
            raise TargetNotReady(self.problems)
        return {
            "space": self.space.records(),
            "baseline": self.space.baseline(),
            "baseline_file": self.baseline_file,
            "rules": self.rules,
            "facts": self.facts.as_dict(),
            "versions": self.versions,
            "hardware": self.hardware,
            "catalog_hash": self.catalog_hash,
            "live": {name: setting.as_row() for name, setting in self.live.items()},
        }

    def summary(self) -> str:
        """One sentence for the log."""
        facts = self.facts
        if facts is None or self.space is None:
            return "the target could not be inspected"
        return (
            f"{self.versions.get('text')}: the server may use {facts.ram_bytes / 2**30:.1f} GiB of RAM "
            f"and {facts.cores} cores, disk {facts.disk}; {len(self.space)} knobs are tuned: "
            f"{', '.join(self.space.names)}"
        )


def inspect(bench: Workbench) -> Findings:
    """Look at everything. Only `Findings.problems` says whether the target may be tuned."""
    findings = Findings(catalog_hash=bench.plan.catalog.content_hash)
    target, name = bench.plan.target, bench.plan.target.name
    reached = _attempt(findings, f"{name}.yaml: ssh_conn_id", lambda: _look_at_host(bench, findings))
    if target.driver_ssh_conn_id is not None:
        _attempt(findings, f"{name}.yaml: driver_ssh_conn_id", lambda: _look_at_driver(bench, findings))
    if bench.plan.benchmark.is_recorded and (reached or target.driver_ssh_conn_id is not None):
        _attempt(findings, "recording", lambda: findings.problems.extend(recorded_load.problems(bench)))
    readable = reached and _attempt(findings, f"{name}.yaml: knobs_file", lambda: _look_at_knobs_file(bench, findings))
    if reached or not target.sql_tunnel:
        _attempt(findings, f"{name}.yaml: sql_conn_id", lambda: _look_at_server(bench, findings))
    else:
        _attempt(findings, f"{name}.yaml: sql_conn_id", lambda: bench.host.local_access)  # whether it is there at all
    if reached:
        _attempt(findings, f"{name}.yaml", lambda: _look_at_paths(bench, findings))
    if reached and findings.live:
        _attempt(findings, f"{name}.yaml: sql_conn_id", lambda: _look_from_the_hosts(bench, findings))
    if reached and findings.directories:
        _attempt(findings, f"{name}.yaml: sql_conn_id", lambda: _look_which_it_is(bench, findings))
    if findings.privileges is not None:
        _attempt(findings, f"{name}.yaml: database", lambda: _look_at_database(bench, findings))
    if findings.host is not None and findings.live:
        _attempt(findings, "knobs", lambda: _choose_space(bench, findings))
        if readable:
            _attempt(findings, f"{name}.yaml: knobs_file", lambda: _look_at_overrides(bench, findings))
        _attempt(findings, "metrics", lambda: _try_metrics(bench, findings))
    return findings


def _attempt(findings: Findings, field_name: str, look: Callable[[], object]) -> bool:
    """Run one part; a fault becomes a problem that names the field. Returns whether the part could look at all."""
    try:
        look()
    except InvalidInput as error:
        for problem in error.problems:
            findings.add(problem)
    except AccessRefused as error:
        findings.add(Problem(field_name, str(error), "then clear this task"))
    except MachineryFault as error:
        findings.add(Problem(field_name, str(error), "mend it, then clear this task"))
    except StatementRefused as error:
        said = " ".join(str(error).split())
        findings.add(Problem(field_name, f"the server refuses a question ({error.code}): {said}", "mend it there"))
    else:
        return True
    return False


def _look_at_host(bench: Workbench, findings: Findings) -> None:
    target = bench.plan.target
    command = bench.plan.dbms.checks.host_facts_command(target)
    done = bench.host.session.run(command, what="looking at the host", timeout_s=LOOK_S)
    findings.host = parse_host_facts(done.stdout)
    findings.hardware = findings.host.hardware


def _look_at_knobs_file(bench: Workbench, findings: Findings) -> None:
    """What the knobs file holds, which is part of the baseline."""
    knobs_file = bench.plan.target.knobs_file
    reading = bench.host.session.run(read_if_there_command(knobs_file), what=f"reading {knobs_file}", timeout_s=LOOK_S)
    findings.baseline_file = reading.stdout
    findings.problems += bench.plan.dbms.settings.knobs_file_problems(findings.baseline_file, knobs_file)
    if bench.plan.dbms.has(Capability.capture):
        findings.add(bench.plan.dbms.capture.left_on(findings.baseline_file, knobs_file))


def _look_at_driver(bench: Workbench, findings: Findings) -> None:
    """The machine that runs the benchmark, where that is another one: its programs."""
    _report_missing(bench, bench.host.driver_session, bench.workload.programs(), findings)


def _report_missing(bench: Workbench, session: Session, programs: Sequence[str], findings: Findings) -> None:
    command = missing_programs_command(programs, driver_bin_dir(bench.plan.target))
    missing = session.run(command, what="looking for the benchmark's programs", timeout_s=LOOK_S).stdout.split()
    if missing:
        where = bench.plan.target.driver_ssh_conn_id or bench.plan.target.ssh_conn_id
        found = f"needs {', '.join(missing)}, not found on the driver host (connection {where!r})"
        findings.problems.append(Problem(f"benchmark {bench.plan.benchmark.name}", found, "install them there"))


def _look_at_server(bench: Workbench, findings: Findings) -> None:
    target = bench.plan.target
    with bench.host.query() as query:
        dbms, live = bench.plan.dbms, bench.plan.is_live
        findings.versions = asdict(dbms.settings.version(query))
        findings.privileges = dbms.checks.may_ask(query, target, live=live)
        findings.problems += findings.privileges.problems
        if not findings.privileges.reads_all:
            return  # which the rest asks for, and the missing privilege is told
        for limit in findings.privileges.limits:
            log.warning("%s", limit)
        findings.directories = dbms.settings.directories(query)
        findings.live = dbms.settings.live_settings(query)
    waiting = sorted(name for name, setting in findings.live.items() if setting.pending_restart)
    if waiting:
        found = f"{', '.join(waiting)} changed in a configuration file and wait for a restart"
        if bench.plan.is_live:
            log.warning("%s, which otterflow leaves to you; they are not tuned", found)
            return
        findings.problems.append(Problem("server", found, "restart the server first: the baseline must be in force"))


def _look_which_it_is(bench: Workbench, findings: Findings) -> None:
    with bench.host.query() as query:
        findings.identity = identity_of(bench.plan.dbms, query, bench.host.session)


def _look_at_paths(bench: Workbench, findings: Findings) -> None:
    """Folders, programs, the service, the log: what the target file says against what is on the host."""
    target = bench.plan.target
    live = bench.plan.is_live
    findings.problems += bench.plan.dbms.checks.look_at_host(
        bench.host.session,
        target,
        live=live,
        data_directory=findings.directories.get("data_directory"),
        version=findings.versions.get("number"),
    )
    if target.driver_ssh_conn_id is None:
        _report_missing(bench, bench.host.session, bench.workload.programs(), findings)
    if findings.host is not None:
        findings.problems += bench.plan.dbms.checks.space_problems(findings.host, target, _sizes(bench, findings))


def _sizes(bench: Workbench, findings: Findings) -> dict[str, int]:
    """What the benchmark's data take in each folder; nothing of a live server's."""
    if bench.plan.is_live:
        return {}
    target, restores = bench.plan.target, bench.plan.restores
    database_bytes, data_dir_bytes = bench.workload.estimated_bytes(), 0
    is_loaded = bool(findings.live) and data.loaded(bench)
    if bench.plan.is_own_copy and findings.live:
        database_bytes, is_loaded = own_copy.size_bytes(bench), True
    elif bench.plan.benchmark.dump is not None:
        database_bytes = own_copy.size_bytes(bench) if is_loaded else recorded_load.restored_bytes(bench)
    if restores and target.snapshot.method is SnapshotMethod.copy:
        data_dir_bytes = _data_dir_bytes(bench) + (0 if is_loaded else database_bytes)
    return bench.plan.dbms.data.space_needed(
        target, database_bytes=database_bytes, data_dir_bytes=data_dir_bytes, loaded=is_loaded, restores=restores
    )


def _data_dir_bytes(bench: Workbench) -> int:
    """The size of what `copy` keeps. All files of the data directory are looked at, so it has a limit of its own."""
    target = bench.plan.target
    try:
        command = bench.plan.dbms.data.data_dir_size_command(target)
        done = bench.host.session.run(command, what="measuring data_dir", timeout_s=SIZE_S)
    except CommandTimedOut as error:
        advice = "use snapshot.method dump, which keeps one database"
        raise InvalidInput(Problem(f"{target.name}.yaml: snapshot.method", f"copy: {error}", advice)) from None
    return int(done.stdout or 0)


def _look_from_the_hosts(bench: Workbench, findings: Findings) -> None:
    """Whether the commands that run on the target, and on the driver host, reach the server from there."""
    target = bench.plan.target
    database = target.database if bench.plan.is_live else bench.plan.dbms.client.MAINTENANCE_DATABASE
    ways = [(bench.host.session, bench.host.local_access, "sql_conn_id", "the target", True)]
    if target.driver_ssh_conn_id is not None:
        ways.append((bench.host.driver_session, bench.host.access, "driver_host", "the driver host", False))
    for session, access, name, host, own in ways:
        look = bench.plan.dbms.checks.look_from_host
        field_name = f"{target.name}.yaml: {name}"
        findings.add(look(session, target, access.to(database), own_programs=own, field=field_name, host=host))


def _look_at_overrides(bench: Workbench, findings: Findings) -> None:
    """Whether the knobs file is read, and what would win over it."""
    target = bench.plan.target
    names, dbms = set(findings.space.names) if findings.space else set(), bench.plan.dbms
    with bench.host.query() as query:
        for problem in dbms.settings.overrides(
            query, bench.host.session, target, findings.live, names, findings.baseline_file,
            restarts=not bench.plan.is_live,
        ):  # fmt: skip
            findings.add(problem)
        if bench.plan.is_live:
            live_server.warn_of_own_values(dbms.settings.own_values(query, names, target.database))


def _look_at_database(bench: Workbench, findings: Findings) -> None:
    """A benchmark's data must be otterflow's to drop, or a copy; a live server is looked at in another way."""
    if bench.plan.is_live:
        findings.problems += live_server.problems(bench.host, bench.plan.goal)
        return
    problem = own_copy.problem(bench) if bench.plan.is_own_copy else data.ownership_problem(bench)
    if problem is not None:
        findings.problems.append(problem)
    else:  # nothing that is somebody else's is ever to be given to otterflow
        findings.problems += findings.privileges.not_owned if findings.privileges else []
    findings.problems += data.cluster_problems(bench)


def _try_metrics(bench: Workbench, findings: Findings) -> None:
    """Each user-defined metric once. What it reads may have to be loaded first; `take_snapshot` tries again."""
    loaded = bench.plan.is_live or data.loaded(bench)
    findings.problems += user_metrics.problems(bench.host, bench.plan.metrics, data_loaded=loaded)


def _without_restart(bench: Workbench, live: Mapping[str, LiveSetting]) -> bool:
    """Whether knobs that take a restart are left out: they cannot be tried on users, only promoted to them."""
    if not bench.plan.is_live or not bench.plan.dbms.has(Capability.reload):
        return False
    return bench.makes_trials or any(setting.takes_reload for setting in live.values())


def _choose_space(bench: Workbench, findings: Findings) -> None:
    """The space to search and the rule-based configuration in it, repaired like any other."""
    spec, host = bench.plan.spec, findings.host
    if host is None:
        return
    target, live = bench.plan.target, findings.live
    disk = host.disk if target.disk == "auto" else target.disk
    free = host.free_bytes.get(target.data_dir)
    findings.facts = HostFacts(
        ram_bytes=host.ram_bytes_effective,
        cores=host.cores_effective,
        disk=disk,
        max_connections=bench.plan.dbms.settings.connections(live),
        memory_share=target.memory_share,
        host_ram_bytes=host.host_ram_bytes,
        disk_free_bytes=free,
        sessions=bench.plan.benchmark.sessions,
    )
    major = findings.versions["major"]
    findings.space = build_space(
        bench.plan.catalog,
        live,
        findings.facts,
        server_version=major,
        knob_set=spec.knob_set.value,
        extra=(*spec.extra_knobs, *knobs_of(spec.arms)),
        excluded=spec.excluded_knobs,
        risks_allowed=[risk.value for risk in spec.risks_allowed],
        reload_only=_without_restart(bench, live),
    )
    findings.problems += arm_problems(spec.arms, live, bench.plan.dbms.spelling)
    for sentence in catalog_gaps(bench.plan.catalog, live, major, findings.space.names).sentences():
        log.info("%s", sentence)
    ruled = bench.plan.dbms.rules.rule_based(
        findings.facts, bench.plan.benchmark.kind.value, live, server_version=major
    )
    values = {name: setting.value for name, setting in live.items()}
    restricted = restrict(ruled.config, findings.space)
    findings.rules, _ = bench.plan.dbms.constraints.repair(restricted, values, findings.facts, space=findings.space)
