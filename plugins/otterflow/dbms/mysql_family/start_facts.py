"""Why no configuration at all could have started the server, from facts of the host rather than from messages.

Each fact here is enough to stop any start: where one holds, the configuration was never tried.
"""

from __future__ import annotations

from otterflow.dbms.mysql_family.target import OwnServer
from otterflow.dbms.start_report import (
    DATA_IS_THERE,
    NOT_IN_A_CONTAINER,
    OWN_DATA,
    SEEN_FUNCTION,
    disk_is_full,
    port_taken,
    unit_facts,
)
from otterflow.dbms.target import CommandService, SystemdService, Target
from otterflow.dbms.values import DatabaseAccess
from otterflow.remote.shell import quote

FULL_KIB = 1024
"""With less room than this the server cannot even write its temporary tablespace."""


def facts_functions(target: Target, access: DatabaseAccess | None) -> str:
    """Bash function `print_facts`: a line for each reason on the host why the server could not start.

    Prints nothing while the server lives. It needs `find_server`. `access` is how a command on the host reaches it;
    without it nobody looks for who holds its port.
    """
    parts = [_DATA, *_of_the_service(target)]
    if isinstance(target.service, CommandService):
        parts.insert(0, NOT_IN_A_CONTAINER)
    if access is not None and not access.host.startswith("/"):
        parts.append(port_taken(access))
    body = "\n".join(f"  {line}" for part in parts for line in part.splitlines())
    return f"{SEEN_FUNCTION}\nprint_facts() {{\n  if find_server; then return; fi\n{body}\n}}"


def _of_the_service(target: Target) -> list[str]:
    match target.service:
        case OwnServer(config_file=config_file):
            file = quote(config_file)
            return [OWN_DATA, f'[ -r {file} ] || seen "service.config_file "{file}" is not there, or not readable"']
        case SystemdService(unit=unit):
            return unit_facts(unit)
        case _:
            return []


_DATA = f"""{DATA_IS_THERE}
if [ -x "$data" ] && [ ! -d "$data/mysql" ]; then seen "data_dir $data holds no server's data"; fi
{disk_is_full(FULL_KIB)}"""
