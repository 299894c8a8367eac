"""From what paramiko and the sockets raise to otterflow's own faults, with the setting to change."""

from __future__ import annotations

import re

from otterflow.errors import AccessRefused, ConnectionFault, OtterflowError

_CUT_SHORT = re.compile(r"timeout|transport shut down|saw EOF")
"""An authentication that did not come to its end, on a host that is busy or going down, says nothing about the key."""


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


def _words(error: Exception) -> str:
    return str(error) or type(error).__name__
