"""What there is to know of a target before it is tuned, and all that stands in the way.

Every part looks for itself and reports what it finds; a part that needs what another could not give (SQL without SSH)
is left out, so that one fault does not hide the others.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from otterflow.dbms.postgresql import checks, configuration_file, privileges, settings
from otterflow.dbms.postgresql.database import CURRENT_USER_SQL
from otterflow.dbms.postgresql.probe import parse_probe, probe_command
from otterflow.errors import AccessRefused, InvalidInput, MachineryFault, Problem, TargetNotReady
from otterflow.knobs import rules
from otterflow.knobs.catalog import check_against_live
from otterflow.knobs.constraints import repair
from otterflow.knobs.facts import HostFacts
from otterflow.knobs.live import LiveSetting
from otterflow.knobs.select import build_space
from otterflow.knobs.space import KnobSpace
from otterflow.operators import data, live_server, user_metrics
from otterflow.operators.server import live_settings
from otterflow.remote.files import missing_programs_command, read_if_there_command
from otterflow.remote.host_facts import HostReport, host_facts_command, parse_host_facts

if TYPE_CHECKING:
    from otterflow.operators.workbench import Workbench
    from otterflow.remote.session import Session

log = logging.getLogger(__name__)

LOOK_S = 60.0
"""Time limit of a command that only looks."""


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
    may_read_files: bool = False

    def record(self) -> dict[str, Any]:
        """The arguments of `Repository.prepare_experiment`."""
        if self.space is None or self.facts is None:
            raise TargetNotReady(self.problems)
        return {
            "space": self.space.records(),
            "baseline": self.space.default(),
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
            f"PostgreSQL {self.versions.get('text')}: the server may use {facts.ram_bytes / 2**30:.1f} GiB of RAM and "
            f"{facts.cores} cores, disk {facts.disk}; {len(self.space)} knobs are tuned: {', '.join(self.space.names)}"
        )


def inspect(bench: Workbench) -> Findings:
    """Look at everything. Only `Findings.problems` says whether the target may be tuned."""
    findings = Findings(catalog_hash=bench.plan.catalog.content_hash)
    target, name = bench.plan.target, bench.plan.target.name
    reached = _attempt(findings, f"{name}.yaml: ssh_conn_id", lambda: _look_at_host(bench, findings))
    if target.driver_ssh_conn_id is not None:
        _attempt(findings, f"{name}.yaml: driver_ssh_conn_id", lambda: _look_at_driver(bench, findings))
    if reached or not target.sql_tunnel:
        _attempt(findings, f"{name}.yaml: sql_conn_id", lambda: _look_at_server(bench, findings))
    if reached:
        _attempt(findings, f"{name}.yaml", lambda: _look_at_paths(bench, findings))
    if findings.host is not None and findings.live:
        _attempt(findings, "knobs", lambda: _choose_space(bench, findings))
        _attempt(findings, f"{name}.yaml: knobs_file", lambda: _look_at_overrides(bench, findings))
        _attempt(findings, f"{name}.yaml: database", lambda: _look_at_database(bench, findings))
        _attempt(findings, "metrics", lambda: _try_metrics(bench, findings))
    return findings


def _attempt(findings: Findings, field_name: str, look: Callable[[], None]) -> bool:
    """Run one part; a fault becomes a problem that names the field. Returns whether the part could look at all."""
    try:
        look()
    except InvalidInput as error:
        findings.problems += error.problems
    except AccessRefused as error:
        findings.problems.append(Problem(field_name, str(error), "then clear this task"))
        return False
    except MachineryFault as error:
        findings.problems.append(Problem(field_name, str(error), "mend it, then clear this task"))
        return False
    return True


def _look_at_host(bench: Workbench, findings: Findings) -> None:
    target = bench.plan.target
    command = host_facts_command(target.data_dir, checks.space_paths(target))
    done = bench.session.run(command, what="looking at the host", timeout_s=LOOK_S)
    findings.host = parse_host_facts(done.stdout)
    findings.hardware = findings.host.hardware
    findings.baseline_file = bench.server.read_knobs_file()


def _look_at_driver(bench: Workbench, findings: Findings) -> None:
    """The machine that runs the benchmark, where that is another one: its programs."""
    _report_missing(bench, bench.driver_session, bench.workload.programs(), findings)


def _report_missing(bench: Workbench, session: Session, programs: Sequence[str], findings: Findings) -> None:
    command = missing_programs_command(programs, bench.driver_bin_dir)
    missing = session.run(command, what="looking for the benchmark's programs", timeout_s=LOOK_S).stdout.split()
    if missing:
        where = bench.plan.target.driver_ssh_conn_id or bench.plan.target.ssh_conn_id
        found = f"needs {', '.join(missing)}, not found on the driver host (connection {where!r})"
        findings.problems.append(Problem(f"benchmark {bench.plan.benchmark.name}", found, "install them there"))


def _look_at_server(bench: Workbench, findings: Findings) -> None:
    target = bench.plan.target
    with bench.query() as query:
        version = query(settings.VERSION_SQL)[0]
        findings.versions = {"major": version["number"] // 10000, "number": version["number"], "text": version["text"]}
        privileges_row = query(privileges.privileges_sql(target.database))[0]
        findings.problems += privileges.missing_privileges(privileges_row, target, live=bench.plan.is_live)
        for limit in privileges.limits_of(privileges_row):
            log.warning("%s", limit)
        findings.may_read_files = bool(privileges_row["superuser"] or privileges_row["read_file_settings"])
        findings.directories = query(settings.DIRECTORIES_SQL)[0]
        findings.live = live_settings(query)
    waiting = sorted(name for name, setting in findings.live.items() if setting.pending_restart)
    if waiting:
        found = f"{', '.join(waiting)} changed in a configuration file and wait for a restart"
        if bench.plan.is_live:
            log.warning("%s, which otterflow leaves to you; they are not tuned", found)
            return
        findings.problems.append(Problem("server", found, "restart the server first: the baseline must be in force"))


def _look_at_paths(bench: Workbench, findings: Findings) -> None:
    """Folders, programs, the service, the log: what the target file says against what is on the host."""
    target = bench.plan.target
    live = bench.plan.is_live
    programs = checks.required_programs(target, live=live)
    data_directory = findings.directories.get("data_directory")
    command = probe_command(target, programs, data_directory=data_directory)
    probe = parse_probe(bench.session.run(command, what="looking at the target", timeout_s=LOOK_S).stdout)
    number = findings.versions.get("number")
    findings.problems += checks.problems(probe, target, programs, server_version=number, live=live)
    if target.driver_ssh_conn_id is None:
        _report_missing(bench, bench.session, bench.workload.programs(), findings)
    if findings.host is not None:
        findings.problems += checks.space_problems(
            findings.host,
            target,
            database_bytes=bench.workload.estimated_bytes(),
            data_dir_bytes=0 if live else (probe.data_dir_bytes or 0) + bench.workload.estimated_bytes(),
        )


def _look_at_overrides(bench: Workbench, findings: Findings) -> None:
    """Whether the knobs file is read, and what would win over it."""
    target = bench.plan.target
    config_file = str(findings.directories["config_file"])
    with bench.query() as query:
        file_rows = query(settings.FILE_SETTINGS_SQL) if findings.may_read_files else []
        role_rows = query(settings.ROLE_SETTINGS_SQL)
        names = set(findings.space.names) if findings.space else set()
        user = query(CURRENT_USER_SQL)[0]["name"]
    findings.problems += settings.overriding_settings(
        findings.live,
        file_rows,
        role_rows,
        names,
        knobs_file=target.knobs_file,
        database=target.database,
        user=user,
    )
    if bench.plan.is_live:
        live_server.warn_of_own_values(role_rows, names, target.database, user)
    findings.problems += settings.file_errors(file_rows, findings.live)
    if configuration_file.parse(findings.baseline_file) and file_rows:
        problem = settings.include_problem(file_rows, target.knobs_file, config_file)
    else:
        problem = _include_problem_by_text(bench, file_rows, config_file)
    if problem is not None:
        findings.problems.append(problem)


def _include_problem_by_text(bench: Workbench, file_rows: list[dict[str, Any]], config_file: str) -> Problem | None:
    """The include line looked for in the files' text: an absent or empty knobs file leaves no trace on the server."""
    paths = dict.fromkeys([config_file, *(str(row["sourcefile"]) for row in file_rows)])
    found = []
    for path in paths:
        done = bench.session.run(read_if_there_command(path), what=f"reading {path}", timeout_s=LOOK_S, check=False)
        if done.exit_code != 0:
            advice = f"let the SSH user read it, or put any setting into {bench.plan.target.knobs_file}"
            return Problem("knobs_file", f"whether {path} includes it cannot be seen: {done.stderr.strip()}", advice)
        found += [(path, include) for include in configuration_file.includes(done.stdout)]
    return settings.include_problem_by_text(found, bench.plan.target.knobs_file, config_file)


def _look_at_database(bench: Workbench, findings: Findings) -> None:
    """A benchmark's data must be otterflow's to drop; a live server is looked at in another way."""
    if bench.plan.is_live:
        findings.problems += live_server.problems(bench)
        return
    problem = data.ownership_problem(bench)
    if problem is not None:
        findings.problems.append(problem)


def _try_metrics(bench: Workbench, findings: Findings) -> None:
    """Each user-defined metric once. What it reads may have to be loaded first; `take_snapshot` tries again."""
    loaded = bench.plan.is_live or data.loaded(bench)
    findings.problems += user_metrics.problems(bench, data_loaded=loaded)


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
        max_connections=int(live["max_connections"].value),
        memory_share=target.memory_share,
        host_ram_bytes=host.host_ram_bytes,
        disk_free_bytes=free,
    )
    major = findings.versions["major"]
    findings.problems += check_against_live(bench.plan.catalog, live, major)
    findings.space = build_space(
        bench.plan.catalog,
        live,
        findings.facts,
        server_version=major,
        knob_set=spec.knob_set.value,
        extra=spec.extra_knobs,
        excluded=spec.excluded_knobs,
        risks_allowed=[risk.value for risk in spec.risks_allowed],
        reload_only=bench.plan.is_live,
    )
    ruled = rules.rule_based(findings.facts, bench.plan.benchmark.kind.value, live, server_version=major)
    values = {name: setting.value for name, setting in live.items()}
    restricted = rules.restrict(ruled.config, findings.space)
    findings.rules, _ = repair(restricted, values, findings.facts, space=findings.space)
