"""A real SSH server on loopback for the system's own `ssh`: it runs commands and forwards Unix sockets."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import pty
import shutil
import struct
import sys
import termios
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncssh
import pytest

ROOT = Path(__file__).resolve().parents[1]
needs_ssh = pytest.mark.skipif(shutil.which("ssh") is None, reason="OpenSSH's client is not installed")


class _Server(asyncssh.SSHServer):
    def __init__(self, owner: SshServer) -> None:
        self._owner = owner

    def connection_made(self, connection: asyncssh.SSHServerConnection) -> None:
        self._owner.connections.append(connection)

    def begin_auth(self, username: str) -> bool:
        return True

    def unix_connection_requested(self, path: str) -> bool:
        return True


class SshServer:
    """Runs what it is asked to with a home of its own; `drop` cuts every line."""

    def __init__(self, folder: Path, far_home: Path) -> None:
        self.folder = folder
        self.far_home = far_home
        self.connections: list[asyncssh.SSHServerConnection] = []
        self.loop: asyncio.AbstractEventLoop | None = None
        self._acceptor: asyncssh.SSHAcceptor | None = None

    @property
    def ssh(self) -> list[str]:
        """The ssh program with a configuration that knows this server as `box`."""
        return ["ssh", "-F", str(self.folder / "config")]

    async def start(self) -> None:
        """Make keys and listen."""
        host, user = (
            asyncssh.generate_private_key("ssh-ed25519"),
            asyncssh.generate_private_key("ssh-ed25519"),
        )
        key = self.folder / "id"
        user.write_private_key(str(key))
        key.chmod(0o600)
        authorized = self.folder / "authorized"
        authorized.write_bytes(user.export_public_key())
        self._acceptor = await asyncssh.listen(
            "127.0.0.1", 0, server_host_keys=[host], authorized_client_keys=str(authorized),
            server_factory=lambda: _Server(self), process_factory=self._run, encoding=None,
        )  # fmt: skip
        port = self._acceptor.get_port()
        known = self.folder / "known"
        known.write_bytes(f"[127.0.0.1]:{port} ".encode() + host.export_public_key())
        (self.folder / "config").write_text(
            f"Host box\n HostName 127.0.0.1\n Port {port}\n User me\n IdentityFile {key}\n"
            f" UserKnownHostsFile {known}\n IdentitiesOnly yes\n LogLevel ERROR\n"
        )

    async def stop(self) -> None:
        """Hang up on everybody."""
        self.drop()
        if self._acceptor is not None:
            self._acceptor.close()
            await self._acceptor.wait_closed()

    def drop(self) -> None:
        """Cut every line, as a network does."""
        for connection in self.connections:
            connection.abort()
        self.connections.clear()

    def hang_up(self) -> None:
        """`drop`, from another thread."""
        assert self.loop is not None
        self.loop.call_soon_threadsafe(self.drop)

    async def _run(self, process: asyncssh.SSHServerProcess[bytes]) -> None:
        path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
        env = {
            **os.environ, "SDTUI_HOME": str(self.far_home), "PYTHONPATH": str(ROOT), "PATH": path,
            "OMP_NUM_THREADS": "1",
        }  # fmt: skip
        if process.term_type is not None:
            await _in_terminal(process, env)
            return
        shell = await asyncio.create_subprocess_shell(
            process.command or "true", env=env, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert shell.stdin is not None
        assert shell.stdout is not None
        assert shell.stderr is not None
        feeding = asyncio.create_task(_feed(process, shell.stdin))
        await asyncio.gather(_pump(shell.stdout, process.stdout), _pump(shell.stderr, process.stderr))
        process.exit(await shell.wait())
        feeding.cancel()


async def _feed(process: asyncssh.SSHServerProcess[bytes], into: asyncio.StreamWriter) -> None:
    """What comes over the line, until it ends; a program that is gone takes no more."""
    with contextlib.suppress(OSError, asyncssh.Error):
        while data := await process.stdin.read(1 << 16):
            into.write(data)
            await into.drain()
    into.close()


async def _pump(out: asyncio.StreamReader, into: asyncssh.SSHWriter[bytes]) -> None:
    """What a program says, until it says no more or nobody listens."""
    with contextlib.suppress(OSError, asyncssh.Error):
        while data := await out.read(1 << 16):
            into.write(data)
            await into.drain()


async def _in_terminal(process: asyncssh.SSHServerProcess[bytes], env: dict[str, str]) -> None:
    """Run the command on a pseudo-terminal, which goes away with the line, as sshd's does."""
    master, slave = pty.openpty()
    columns, rows, *_ = process.term_size
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("4H", rows, columns, 0, 0))
    shell = await asyncio.create_subprocess_shell(
        process.command or "true", env={**env, "TERM": process.term_type or ""}, stdin=slave, stdout=slave,
        stderr=slave, start_new_session=True, preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )  # fmt: skip
    os.close(slave)
    with os.fdopen(os.dup(master), "rb", 0) as out, os.fdopen(master, "wb", 0) as into:
        await process.redirect(stdin=into, stdout=out)
        waiting = asyncio.create_task(shell.wait())
        closing = asyncio.create_task(process.channel.wait_closed())
        await asyncio.wait((waiting, closing), return_when=asyncio.FIRST_COMPLETED)
        if waiting.done():
            process.exit(waiting.result())


@contextlib.asynccontextmanager
async def serving_ssh(folder: Path, far_home: Path) -> AsyncIterator[SshServer]:
    """A server that listens."""
    server = SshServer(folder, far_home)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


@contextlib.contextmanager
def ssh_on_a_thread(folder: Path, far_home: Path) -> Iterator[SshServer]:
    """The same for tests that wait for a terminal; `SshServer.drop` is then called by `hang_up`."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    server = SshServer(folder, far_home)
    asyncio.run_coroutine_threadsafe(server.start(), loop).result(30)
    server.loop = loop
    try:
        yield server
    finally:
        asyncio.run_coroutine_threadsafe(server.stop(), loop).result(30)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
