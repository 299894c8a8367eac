"""Why no configuration at all could have started the server, from facts of the host rather than from messages.

Each fact here is enough to stop any start: where one holds, the configuration was never tried.
"""

from __future__ import annotations

import ipaddress
import re

from otterflow.dbms.mysql_family.target import OwnServer
from otterflow.dbms.target import CommandService, SystemdService, Target
from otterflow.dbms.values import DatabaseAccess
from otterflow.remote.shell import join, quote

_SEEN = "otterflow sees: "

WAS_SEEN = re.compile(rf"^{_SEEN}", re.MULTILINE)
"""Matches what `print_facts` prints, if it prints anything."""

FULL_KIB = 1024
"""With less room than this the server cannot even write its temporary tablespace."""


def facts_functions(target: Target, access: DatabaseAccess | None) -> str:
    """Bash function `print_facts`: a line for each reason on the host why the server could not start.

    Prints nothing while the server lives. It needs `find_server`. `access` is how a command on the host reaches it;
    without it nobody looks for who holds its port.
    """
    parts = [_DATA, *_of_the_service(target)]
    if isinstance(target.service, CommandService):
        parts.insert(0, _NOT_IN_A_CONTAINER)
    if access is not None and not access.host.startswith("/"):
        parts.append(_port_taken(access))
    body = "\n".join(f"  {line}" for part in parts for line in part.splitlines())
    seen = f"seen() {{ printf '%s%s\\n' {quote(_SEEN)} \"$*\"; }}"
    return f"{seen}\nprint_facts() {{\n  if find_server; then return; fi\n{body}\n}}"


def _of_the_service(target: Target) -> list[str]:
    match target.service:
        case OwnServer(config_file=config_file):
            file = quote(config_file)
            return [_OWN_DATA, f'[ -r {file} ] || seen "service.config_file "{file}" is not there, or not readable"']
        case SystemdService(unit=unit):
            found = f'[ "$(systemctl show -p LoadState --value {quote(unit)} 2> /dev/null)" != not-found ]'
            return [_may_sudo("systemctl", "start", unit), f"{found} || seen {quote(f'there is no unit {unit}')}"]
        case _:
            return []


def _may_sudo(*words: str) -> str:
    said = quote(f"sudo does not allow `{' '.join(words)}` without a password")
    return f"sudo -n -l -- {join(words)} > /dev/null 2>&1 || seen {said}"


def _port_taken(access: DatabaseAccess) -> str:
    addresses = "|".join(["0{8}", "0{32}", *_in_proc(access.host)])
    listening = quote(f"^ *[0-9]+: ({addresses}):{access.port:04X} [0-9A-F]+:0000 0A ")
    words = quote(f"port {access.port} is taken by another process")
    return f"if cat /proc/net/tcp /proc/net/tcp6 2> /dev/null | grep -qE {listening}; then seen {words}; fi"


def _in_proc(host: str) -> list[str]:
    """The address as /proc/net/tcp writes it: words of four bytes, each in the machine's order (little-endian)."""
    try:
        packed = ipaddress.ip_address("127.0.0.1" if host == "localhost" else host).packed
    except ValueError:
        return []
    return ["".join(packed[at : at + 4][::-1].hex() for at in range(0, len(packed), 4)).upper()]


# A user's own command may start a container, whose data directory and port are not this host's.
_NOT_IN_A_CONTAINER = 'if [ ! -d "$data" ]; then return; fi'

# A folder that cannot be entered says nothing.
_DATA = f"""local at=$data free
if [ ! -d "$data" ]; then
  while [ ! -e "$at" ] && [ "$at" != / ]; do at=$(dirname -- "$at"); done
  if [ ! -d "$at" ] || [ -x "$at" ]; then seen "data_dir $data does not exist"; fi
  return
fi
if [ -x "$data" ] && [ ! -d "$data/mysql" ]; then seen "data_dir $data holds no server's data"; fi
free=$(df -P -k -- "$data" 2> /dev/null | awk 'NR == 2 {{ print $4 }}')
if [ -n "$free" ] && [ "$free" -lt {FULL_KIB} ]; then seen "the file system of data_dir $data is full"; fi"""

_OWN_DATA = """if [ "$EUID" -eq 0 ]; then seen "the SSH user is root, as whom the server does not run"; fi
if [ ! -O "$data" ]; then seen "data_dir $data belongs to $(stat -L -c %U -- "$data"), not to $(id -un)"; fi"""
