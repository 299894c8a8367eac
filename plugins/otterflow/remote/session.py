"""Short commands over SSH: a total time limit on both sides, typed errors, and files written atomically.

A `Session` connects when it is first used and again after a connection was lost, so a caller may simply retry.
Standard input, which may hold secrets, is never logged and never part of a command line.
"""

from __future__ import annotations

import logging
import selectors
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING

from otterflow.errors import CommandFailed, CommandTimedOut, ConnectionFault
from otterflow.remote.faults import connect_error, connection_lost, login_shell_error
from otterflow.remote.framing import FramedOutput, framed, own_stderr
from otterflow.remote.shell import quote

if TYPE_CHECKING:
    import paramiko

log = logging.getLogger(__name__)

KILL_AFTER_S = 5
"""How long a command that ignores TERM at its limit may live before it is killed."""
GRACE_S = 10.0
"""How long past `KILL_AFTER_S` the host may take to say how the command ended."""
QUIET_S = 0.3
"""How long output may be silent after the exit code: a daemon that inherited stdout keeps it open for ever."""
SESSION_WAIT_S = 5.0
"""How long sshd may refuse another session (MaxSessions) before that is a fault."""
MAX_STDOUT_BYTES = 16 * 2**20
MAX_STDERR_BYTES = 64 * 2**10
_CHUNK = 32 * 2**10
_NO_EXIT_CODE = -1
"""What paramiko reports for a channel that closed before the command's end was told."""


@dataclass(frozen=True)
class Completed:
    """How a command ended. `stdout` is cut at its limit from the end (`truncated`), `stderr` from the start."""

    exit_code: int
    stdout: str
    stderr: str
    truncated: bool = False


def bounded(command: str, timeout_s: float) -> str:
    """The command under bash and `timeout`: TERM at the limit, KILL a few seconds later, to its whole process group."""
    # `timeout` kills its own group, itself in it; the shell around it lives to tell the exit code.
    return framed(command, f"timeout -k {KILL_AFTER_S} {timeout_s:g}")


def put_command(path: str, size_bytes: int, mode: int) -> str:
    """Standard input into `path`, atomically: temporary file beside it, synced, renamed.

    A stream that ended early (`size_bytes` did not arrive) leaves the old file. A symbolic link is followed, so that
    the file it names is replaced and not the link. The folder must exist and is left as it is.
    """
    return f"""set -eu
umask 077
path=$(readlink -f -- {quote(path)})
part=$(mktemp -- "$path.XXXXXXXX")
trap 'rm -f -- "$part"' EXIT
cat > "$part"
size=$(wc -c < "$part")
if [ "$size" -ne {size_bytes} ]; then echo "only $size of {size_bytes} bytes arrived" >&2; exit 74; fi
chmod {mode:o} -- "$part"
sync -- "$part"
mv -fT -- "$part" "$path"
trap - EXIT
sync -- "$(dirname -- "$path")"
"""


def send_at_once(client: paramiko.SSHClient) -> None:
    """Have the connection send each packet when it is made, and not wait for the answer to the one before.

    A short command is several small packets, and the wait (Nagle's algorithm) was half of its 60 ms on a host nearby.
    A connection through a proxy's command has no such wait.
    """
    transport = client.get_transport()
    if transport is not None and isinstance(transport.sock, socket.socket):
        transport.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


class Session:
    """Commands on one host, over connections that `connect` opens (the provider's `SSHHook.get_conn`).

    `host` is how errors name the place, best with the connection's id. Use as a context manager, or call `close`.
    """

    def __init__(self, connect: Callable[[], paramiko.SSHClient], *, host: str = "the SSH host") -> None:
        self._connect = connect
        self._client: paramiko.SSHClient | None = None
        self.host = host

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection, if there is one. The next `run` opens another."""
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def run(
        self,
        command: str,
        *,
        what: str,
        timeout_s: float,
        stdin: str | None = None,
        check: bool = True,
        max_stdout_bytes: int = MAX_STDOUT_BYTES,
    ) -> Completed:
        """Run a bash command and wait for its end, `timeout_s` seconds at most on the host and here.

        `what` names the command in errors and logs ("restart of the server"). With `check` a non-zero exit code
        raises CommandFailed. Raises CommandTimedOut when the limit was reached, ConnectionFault when the host could
        not be reached, dropped the connection or fell silent, AccessRefused when it does not let us in or its login
        shell does not run commands. What that shell prints of its own, such as a greeting, is not part of the output.
        """
        import paramiko

        started = time.monotonic()
        transport = self._transport()
        exchange = _Exchange(max_stdout_bytes, stdin)
        limit_s = timeout_s + KILL_AFTER_S + GRACE_S
        try:
            with _closed_after(transport, limit_s + 2):
                channel = _opened(transport, min(limit_s, 30.0))
                try:
                    channel.exec_command(bounded(command, timeout_s))
                    exchange.drive(channel, started + limit_s)
                    exit_code = channel.recv_exit_status() if channel.exit_status_ready() else _NO_EXIT_CODE
                finally:
                    channel.close()
        except (OSError, EOFError, paramiko.SSHException) as error:
            self.close()
            raise connection_lost(error, self.host, what) from error
        elapsed_s = time.monotonic() - started
        if exit_code == _NO_EXIT_CODE:
            self.close()
            raise ConnectionFault(
                f"{self.host}: the connection was lost, or the host fell silent, after {elapsed_s:.0f} s of {what}"
            )
        done = exchange.completed(exit_code)
        log.debug("%s on %s: exit code %s after %.2f s", what, self.host, exit_code, elapsed_s)
        if exit_code in (124, 137) and elapsed_s >= timeout_s:
            raise CommandTimedOut(what, timeout_s, _tail(done.stderr or done.stdout))
        if not exchange.stdout.shell_ran:
            raise login_shell_error(self.host, exit_code, _tail(f"{exchange.stdout.outside}{done.stderr}", 500))
        if check and exit_code != 0:
            raise CommandFailed(what, exit_code, _tail(done.stderr or done.stdout))
        return done

    def put_file(self, path: str, text: str, mode: int = 0o600, *, timeout_s: float = 60) -> None:
        """Write a file atomically: others see the old text or the new, never half. Its folder must exist."""
        command = put_command(path, len(text.encode()), mode)
        self.run(command, what=f"writing {path}", timeout_s=timeout_s, stdin=text)

    def _transport(self) -> paramiko.Transport:
        transport = self._client.get_transport() if self._client else None
        if transport is not None and transport.is_active():
            return transport
        import paramiko

        self.close()
        try:
            self._client = self._connect()
            transport = self._client.get_transport()
        except (OSError, EOFError, paramiko.SSHException) as error:
            raise connect_error(error, self.host) from error
        if transport is None:
            raise ConnectionFault(f"{self.host}: the connection was closed as soon as it was opened")
        return transport


class _Exchange:
    """Feeds standard input and drains both outputs of one channel together, so that neither side can block."""

    def __init__(self, max_stdout_bytes: int, stdin: str | None) -> None:
        self._stdin = memoryview(stdin.encode() if stdin is not None else b"")
        self.stdout = FramedOutput(max_stdout_bytes)
        self._stderr = bytearray()

    def drive(self, channel: paramiko.Channel, deadline: float) -> None:
        """Exchange data until the command ended and its output is drained, or until `deadline` (monotonic, seconds)."""
        channel.settimeout(5.0)
        quiet_since: float | None = None
        with selectors.DefaultSelector() as selector:
            selector.register(channel.fileno(), selectors.EVENT_READ)
            while time.monotonic() < deadline:
                self._feed(channel)
                ended = channel.exit_status_ready()
                if self._drain(channel):
                    quiet_since = None
                elif channel.closed or (channel.eof_received and ended):
                    return
                elif ended:
                    quiet_since = quiet_since or time.monotonic()
                    if time.monotonic() - quiet_since > QUIET_S:
                        return
                if self._stdin or ended or channel.eof_received:  # no event of the channel tells what we wait for
                    time.sleep(0.01)
                else:
                    selector.select(min(1.0, max(0.0, deadline - time.monotonic())))

    def _feed(self, channel: paramiko.Channel) -> None:
        if channel.exit_status_ready():
            self._stdin = self._stdin[:0]  # the command ended without reading it all
        while self._stdin and channel.send_ready():
            try:
                sent = channel.send(self._stdin[:_CHUNK].tobytes())
            except OSError:
                if not channel.closed:
                    raise
                sent = len(self._stdin)  # closed since we looked: whether the command ended says its exit code
            self._stdin = self._stdin[sent:]
        if not self._stdin and not channel.eof_sent and not channel.closed:
            channel.shutdown_write()

    def _drain(self, channel: paramiko.Channel) -> bool:
        got = False
        while channel.recv_ready() and (data := channel.recv(_CHUNK)):
            got = True
            self.stdout.add(data)
        while channel.recv_stderr_ready() and (data := channel.recv_stderr(_CHUNK)):
            got = True
            self._stderr = (self._stderr + data)[-MAX_STDERR_BYTES:]
        return got

    def completed(self, exit_code: int) -> Completed:
        return Completed(exit_code, self.stdout.text, own_stderr(bytes(self._stderr)), self.stdout.truncated)


def _opened(transport: paramiko.Transport, limit_s: float) -> paramiko.Channel:
    """A new session. Where sshd allows one at a time, it closes the last one only a moment after we have."""
    import paramiko

    deadline = time.monotonic() + SESSION_WAIT_S
    while True:
        try:
            return transport.open_session(timeout=limit_s)
        except paramiko.ChannelException:
            if time.monotonic() > deadline:
                raise
        time.sleep(0.05)


@contextmanager
def _closed_after(transport: paramiko.Transport, limit_s: float) -> Iterator[None]:
    """End every wait inside the block after `limit_s` seconds: paramiko's own waits for a reply have no limit."""
    watchdog = threading.Timer(limit_s, transport.close)
    watchdog.daemon = True
    watchdog.start()
    try:
        yield
    finally:
        watchdog.cancel()


def _tail(text: str, limit: int = 2000) -> str:
    return text if len(text) <= limit else "... " + text[-limit:]
