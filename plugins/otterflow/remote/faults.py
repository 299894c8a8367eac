"""From what paramiko and the sockets raise to otterflow's own faults, with the setting to change."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from otterflow.errors import AccessRefused, ConnectionFault, OtterflowError

if TYPE_CHECKING:
    import paramiko

_CUT_SHORT = re.compile(r"timeout|transport shut down|saw EOF")
"""An authentication that did not come to its end, on a host that is busy or going down, says nothing about the key."""
_PROHIBITED = 1
"""SSH_OPEN_ADMINISTRATIVELY_PROHIBITED, RFC 4254, 5.1."""


def connect_error(error: Exception, host: str) -> OtterflowError:
    """The fault behind a failed connect.

    AccessRefused where a retry cannot help (host key, credentials), else ConnectionFault. `host` names the place.
    """
    import paramiko

    if isinstance(error, paramiko.BadHostKeyException):
        return AccessRefused(
            f"{host}: the host shows another key ({error.key.get_name()} {error.key.get_base64()}) than the one that "
            "is known. If the host was set up anew, put its new key into `host_key` of the SSH connection's extra "
            "(or into known_hosts); if not, somebody may stand between"
        )
    if isinstance(error, paramiko.PasswordRequiredException):
        return AccessRefused(
            f"{host}: the private key is encrypted; set `private_key_passphrase` in the SSH connection's extra"
        )
    if isinstance(error, paramiko.AuthenticationException) and not _CUT_SHORT.search(str(error)):
        return AccessRefused(
            f"{host}: the host did not accept the user or the key ({error}); check the SSH connection's login, and its "
            "`key_file` or `private_key` (extra) or password, and the user's authorized_keys on the host"
        )
    if isinstance(error, paramiko.SSHException) and "known_hosts" in str(error):
        return AccessRefused(
            f"{host}: the host's key is not known ({error}); put it into `host_key` of the SSH connection's extra, "
            "as in `ssh-keyscan`'s output without the host's name (`ssh-ed25519 AAAA...`), after comparing it"
        )
    return ConnectionFault(f"{host}: no SSH connection ({_words(error)}); check the connection's host and port, sshd")


def connection_lost(error: Exception, host: str, what: str) -> OtterflowError:
    """The fault behind an exchange on an open connection that broke while `what` ran."""
    import paramiko

    if isinstance(error, paramiko.ChannelException):
        return ConnectionFault(
            f"{host}: sshd refused another session for {what} ({_words(error)}); see MaxSessions in sshd_config"
        )
    return ConnectionFault(f"{host}: the connection was lost during {what} ({_words(error)})")


def forwarding_error(
    transport: paramiko.Transport, host: str, address: tuple[str, int], *, timeout_s: float = 10
) -> OtterflowError | None:
    """Why a tunnel to `address` does not work, tried once more; None if it does. `host` names the SSH host."""
    import paramiko

    try:
        transport.open_channel("direct-tcpip", address, ("127.0.0.1", 0), timeout=timeout_s).close()
    except paramiko.ChannelException as error:
        where = f"{address[0]}:{address[1]}"
        if error.code == _PROHIBITED:
            return AccessRefused(
                f"{host}: sshd forwards no connection to {where} ({error.text}); set `AllowTcpForwarding local` in its "
                "sshd_config, and look at PermitOpen there and for `restrict` or `no-port-forwarding` in "
                "authorized_keys; or set the target's `sql_tunnel: false`, where Airflow reaches the server without"
            )
        return ConnectionFault(
            f"{host}: nothing answers at {where} as that host sees it ({error.text}); check the host and port of the "
            "SQL connection, and the server's listen_addresses"
        )
    except (OSError, EOFError, paramiko.SSHException) as error:
        return ConnectionFault(f"{host}: the connection was lost while a tunnel was opened ({_words(error)})")
    return None


def login_shell_error(host: str, exit_code: int, said: str) -> OtterflowError:
    """The fault behind a login that ended without having run the command: `/usr/sbin/nologin`, an `exit` in a file."""
    return AccessRefused(
        f"{host}: the SSH user's login shell ended with exit code {exit_code} and ran no command "
        f"({' '.join(said.split()) or 'it said nothing'}); give the user a shell such as /bin/bash, and look for an "
        "`exit` or `exec` in its .bashrc and for ForceCommand in sshd_config"
    )


def _words(error: Exception) -> str:
    return str(error) or type(error).__name__
