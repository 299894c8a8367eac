"""What there is to see of a PostgreSQL server on its host, beside what every DBMS has there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from otterflow.dbms.host_probe import look_command, may_sudo_records
from otterflow.dbms.postgresql.programs import program
from otterflow.dbms.postgresql.target import PgCtlCluster
from otterflow.dbms.target import SystemdService, Target
from otterflow.remote.shell import quote


def probe_command(target: Target, programs: Sequence[str], *, data_directory: str | None = None) -> str:
    """One bash command that looks at everything. `programs` are those of PostgreSQL that must be there.

    `data_directory` is the server's own answer to `SHOW data_directory`, where it could be asked.
    """
    paths = {name: program(target, name) for name in programs}
    return look_command(target, paths, [_DATA, *_service_records(target)], data_directory=data_directory)


def data_dir_size_command(target: Target) -> str:
    """Print the data directory's size in bytes, 0 where it cannot be read; for `copy`, which keeps all of it."""
    data = quote(target.data_dir)
    return f"""if [ -r {data}/PG_VERSION ]; then du -sb -- {data} 2> /dev/null | cut -f 1; else echo 0; fi"""


def _service_records(target: Target) -> Iterable[str]:
    match target.service:
        case SystemdService(unit=unit):
            yield from may_sudo_records(["systemctl", verb, unit] for verb in ("start", "stop"))
            yield (
                f"case $(systemctl show -p ExecStart --value {quote(unit)} 2> /dev/null) in "
                "*path=/bin/true*) record service umbrella yes ;; esac"
            )
        case PgCtlCluster(version=version, cluster=cluster, sudo=sudo):
            if sudo:
                verbs = (["start"], ["stop"], ["--force", "stop"])
                yield from may_sudo_records(["pg_ctlcluster", version, cluster, *words] for words in verbs)
            yield "clusters=$(pg_lsclusters -h 2> /dev/null | awk '{ print $1 \" \" $2 }')"
            wanted = quote(f"{version} {cluster}")
            yield f'if ! grep -qxF {wanted} <<< "$clusters"; then record service cluster absent; fi'
            yield "record service clusters \"${clusters//$'\\n'/, }\""


_DATA = """record data version "$(cat -- "$data/PG_VERSION" 2> /dev/null)"
if [ -n "$(find "$data/pg_tblspc" -mindepth 1 -print -quit 2> /dev/null)" ]; then record data tablespaces yes; fi
if [ -L "$data/pg_wal" ] || mountpoint -q -- "$data"; then record data whole no; fi"""
