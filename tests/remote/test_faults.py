from __future__ import annotations

import socket

import paramiko
import pytest

from otterflow.errors import AccessRefused, ConnectionFault, OtterflowError
from otterflow.remote.faults import connect_error, connection_lost

HOST = "db:22 (connection 'x')"


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (paramiko.AuthenticationException("Authentication failed."), AccessRefused, "authorized_keys"),
        (paramiko.BadAuthenticationType("no", ["publickey"]), AccessRefused, "did not accept"),
        (paramiko.PasswordRequiredException("encrypted"), AccessRefused, "private_key_passphrase"),
        (paramiko.SSHException("Server 'db' not found in known_hosts"), AccessRefused, "host_key"),
        (paramiko.AuthenticationException("Authentication timeout."), ConnectionFault, "no SSH connection"),
        (
            paramiko.AuthenticationException("Authentication failed: transport shut down or saw EOF"),
            ConnectionFault,
            "no SSH connection",
        ),
        (paramiko.SSHException("Error reading SSH protocol banner"), ConnectionFault, "protocol banner"),
        (socket.gaierror("Name or service not known"), ConnectionFault, "Name or service not known"),
        (ConnectionRefusedError("refused"), ConnectionFault, "refused"),
        (EOFError(), ConnectionFault, "EOFError"),
        (TimeoutError(), ConnectionFault, "TimeoutError"),
    ],
)
def test_what_is_worth_a_retry_is_told_from_what_is_not(
    error: Exception, kind: type[OtterflowError], words: str
) -> None:
    fault = connect_error(error, HOST)
    assert type(fault) is kind
    assert str(fault).startswith(HOST)
    assert words in str(fault)


def test_too_many_sessions_names_the_setting() -> None:
    fault = connection_lost(paramiko.ChannelException(1, "Administratively prohibited"), HOST, "restart")
    assert "MaxSessions" in str(fault)
    assert "restart" in str(fault)
