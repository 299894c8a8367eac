"""A configuration for other tools: a file, ALTER SYSTEM, Ansible, operators of Kubernetes, Patroni, RDS and Aurora.

What a service keeps for itself is from its own sources: CloudNativePG's `FixedConfigurationParameters`
(pkg/postgres/configuration.go), Patroni's manual ("Important rules"), and the user guides of RDS and Aurora. The
Zalando operator runs Patroni, and takes what that takes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from otterflow.dbms.bundle import parameter_group
from otterflow.dbms.bundle.ansible import Place, playbook
from otterflow.dbms.bundle.values import Bundle, ExportedKnob, Order, allowed
from otterflow.dbms.bundle.yaml_text import by_name, head, mapping
from otterflow.dbms.postgresql import spelling

Write = Callable[[Order, Sequence[ExportedKnob]], str]
"""Makes a file's text of the knobs that it may hold."""

_AUTO_CONF = "postgresql.auto.conf"
"""The file that ALTER SYSTEM writes."""

_OPERATORS = "the operator sets it itself, and refuses another value"
CLOUDNATIVE_PG_FIXED = dict.fromkeys(("ssl_prefer_server_ciphers",), _OPERATORS)

PATRONI_FIXED = {"wal_log_hints": "Patroni always switches it on, for pg_rewind"}
PATRONI_LEAST = {"max_wal_senders": 3, "max_locks_per_transaction": 32, "max_worker_processes": 2}
"""Below these Patroni takes its own default."""

_HOST = "the service decides it with its hosts and its storage"
RDS_FIXED = dict.fromkeys(
    ("fsync", "full_page_writes", "wal_sync_method", "huge_pages", "io_method", "file_copy_method"), _HOST
) | {
    "wal_level": "it follows rds.logical_replication",
    "wal_log_hints": "the service keeps it for its replicas",
    "max_wal_senders": "the service keeps it for its replicas",
    "ssl_prefer_server_ciphers": "the service sets it itself",
    "hot_standby_feedback": "it is set on a read replica's own group",
}
_STORAGE = "Aurora's storage writes no checkpoints and no log files, so it has no such parameter"
AURORA_FIXED = RDS_FIXED | dict.fromkeys(
    (
        "max_wal_size", "min_wal_size", "checkpoint_timeout", "checkpoint_completion_target", "checkpoint_flush_after",
        "bgwriter_delay", "bgwriter_lru_maxpages", "bgwriter_lru_multiplier", "bgwriter_flush_after",
        "wal_compression", "wal_writer_delay", "wal_writer_flush_after", "commit_delay", "commit_siblings",
        "wal_init_zero", "wal_recycle", "wal_skip_threshold",
    ),
    _STORAGE,
)  # fmt: skip


def bundle(order: Order) -> Bundle:
    """All files for the order's knobs. Files of a service that takes none of them are left out."""
    found = Bundle()
    found.files["knobs.conf"] = _knobs_conf(order)
    found.files["alter_system.sql"] = _alter_system(order)
    found.files["alter_system_undo.sql"] = _alter_system_undo(order)
    place = Place(f"/etc/postgresql/{order.version}/main/conf.d/zz-otterflow.conf", "postgres", "postgresql")
    found.files["ansible/playbook.yml"] = playbook(order, place, _settings(order.knobs), restart=order.restart)
    _add_yaml(found, "kubernetes/cloudnative_pg.yaml", order, CLOUDNATIVE_PG_FIXED, _cloudnative_pg)
    patroni = PATRONI_FIXED | _below_patroni(order)
    _add_yaml(found, "kubernetes/zalando.yaml", order, patroni, _zalando)
    _add_yaml(found, "patroni/patch.yaml", order, patroni, _patroni)
    for service in (
        parameter_group.Service("rds", "Amazon RDS", f"postgres{order.version}", False, RDS_FIXED),
        parameter_group.Service("aurora", "Amazon Aurora", f"aurora-postgresql{order.version}", True, AURORA_FIXED),
    ):
        parameter_group.add(found, order, service)
    return found


def _spelt(knob: ExportedKnob) -> str:
    return spelling.display(knob.value, knob.setting)


def _knobs_conf(order: Order) -> str:
    lines = "".join(
        f"# {knob.because}\n{knob.name} = {spelling.render(knob.value, knob.setting)}\n"
        for knob in by_name(order.knobs)
    )
    return head(order, "A file that postgresql.conf includes last: include_if_exists, or a folder's last file.") + lines


def _settings(knobs: Sequence[ExportedKnob]) -> str:
    return "".join(f"{knob.name} = {spelling.render(knob.value, knob.setting)}\n" for knob in by_name(knobs))


def _alter_system(order: Order) -> str:
    lines = "".join(
        f"-- {knob.because}\nALTER SYSTEM SET {knob.name} = {_literal(_spelt(knob))};\n"
        for knob in by_name(order.knobs)
    )
    return _sql(order, "psql -X -v ON_ERROR_STOP=1 -f alter_system.sql; alter_system_undo.sql goes back", lines)


def _alter_system_undo(order: Order) -> str:
    return _sql(order, "psql -X -v ON_ERROR_STOP=1 -f alter_system_undo.sql", "".join(map(_undo, by_name(order.knobs))))


def _undo(knob: ExportedKnob) -> str:
    """Reset, or set back where ALTER SYSTEM had set it before."""
    if (knob.setting.sourcefile or "").endswith(_AUTO_CONF):
        return f"ALTER SYSTEM SET {knob.name} = {_literal(spelling.display(knob.before, knob.setting))};\n"
    return f"ALTER SYSTEM RESET {knob.name};\n"


def _sql(order: Order, use: str, lines: str) -> str:
    top = "".join(f"-- {line}\n" for line in (order.title, use))
    waiting = ", ".join(knob.name for knob in by_name(order.knobs) if knob.restart)
    after = f"-- a restart brings into force: {waiting}\n" if waiting else ""
    return f"{top}{lines}SELECT pg_reload_conf();\n{after}"


def _literal(text: str) -> str:
    """A text as SQL; an escape string where it has a backslash, whatever standard_conforming_strings says."""
    quoted = "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"
    return f"E{quoted}" if "\\" in text else quoted


def _below_patroni(order: Order) -> dict[str, str]:
    return {
        knob.name: f"Patroni takes no value below {PATRONI_LEAST[knob.name]}"
        for knob in order.knobs
        if knob.name in PATRONI_LEAST and isinstance(knob.value, int) and knob.value < PATRONI_LEAST[knob.name]
    }


def _add_yaml(found: Bundle, path: str, order: Order, refused: Mapping[str, str], write: Write) -> None:
    taken, left_out = allowed(order, refused)
    if left_out:
        found.left_out[path] = left_out
    if taken:
        found.files[path] = write(order, taken)


def _cloudnative_pg(order: Order, knobs: Sequence[ExportedKnob]) -> str:
    use = "kubectl patch clusters.postgresql.cnpg.io NAME --type merge --patch-file cloudnative_pg.yaml"
    return head(order, use) + (
        "apiVersion: postgresql.cnpg.io/v1\nkind: Cluster\nspec:\n  postgresql:\n    parameters:\n"
        + mapping(knobs, _spelt, 6)
    )


def _zalando(order: Order, knobs: Sequence[ExportedKnob]) -> str:
    use = "kubectl patch postgresqls.acid.zalan.do NAME --type merge --patch-file zalando.yaml"
    return head(order, use) + (
        "apiVersion: acid.zalan.do/v1\nkind: postgresql\nspec:\n  postgresql:\n    parameters:\n"
        + mapping(knobs, _spelt, 6)
    )


def _patroni(order: Order, knobs: Sequence[ExportedKnob]) -> str:
    use = "patronictl edit-config --apply patch.yaml CLUSTER; a knob that is set to null there goes back"
    restart = "then patronictl restart CLUSTER, for some of them take one" if any(k.restart for k in knobs) else ""
    return head(order, use, *([restart] if restart else [])) + (
        "postgresql:\n  parameters:\n" + mapping(knobs, _spelt, 4)
    )
