"""The queue's journal: a file to which every change is added as a line of its own, with a checksum before it.

Lines are written and made durable by a thread of its own, all that came meanwhile together: a thousand jobs that are
queued at once cost a few waits for the disk. Now and then the file is written anew, with nothing but the present.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
import zlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final

import msgspec

from sdcore.atomic import write_atomically
from sdcore.engine.ledger import AnyRecord, Ledger

VERSION: Final = 1
_HEADER: Final = f"sdtui queue {VERSION}\n".encode()
_LONGEST: Final = 1 << 26
"""Bytes of the largest file that is read: some hundred thousand jobs."""
_WASTE: Final = 4
_LEAST_LINES: Final = 2000
"""The file is written anew when it has both this many lines and `_WASTE` times those that are needed."""

_ENCODER: Final = msgspec.json.Encoder()
_DECODER: Final = msgspec.json.Decoder(AnyRecord)
_log = logging.getLogger(__name__)


def line_of(record: AnyRecord) -> bytes:
    """A record as a line of the file: eight hex digits of its CRC-32, a space, its JSON."""
    data = _ENCODER.encode(record)
    return b"%08x %s\n" % (zlib.crc32(data), data)


def read(path: Path) -> tuple[Ledger, list[str]]:
    """What the file at `path` says, and a sentence for each thing about it that a person should know. Never fails: what
    cannot be read is set aside, a last line that was cut off by a crash is left out."""
    ledger = Ledger()
    try:
        if path.stat().st_size > _LONGEST:
            return ledger, [_set_aside(path, "is too large to be one")]
        data = path.read_bytes()
    except FileNotFoundError:
        return ledger, []
    except OSError as fault:
        return ledger, [_set_aside(path, f"cannot be read ({fault.strerror or fault})")]
    if not data.startswith(_HEADER):
        return ledger, [_set_aside(path, "is damaged or of another version")] if data else []
    *lines, last = data[len(_HEADER) :].split(b"\n")
    bad = [line for line in lines if not _apply(ledger, line)]
    if last:
        _log.warning("The last change to the queue was cut off by a crash.")
    if not bad:
        return ledger, []
    with contextlib.suppress(OSError):
        write_atomically(path.with_suffix(".damaged"), b"\n".join([*bad, b""]))
    few = "1 line" if len(bad) == 1 else f"{len(bad)} lines"
    return ledger, [
        f"{few} of the saved queue could not be read and went to {path.with_suffix('.damaged').name}; "
        "look through the queue for what is missing."
    ]


def _apply(ledger: Ledger, line: bytes) -> bool:
    checksum, _, data = line.partition(b" ")
    try:
        if int(checksum, 16) != zlib.crc32(data):
            return False
        ledger.apply(_DECODER.decode(data))
    except ValueError:  # msgspec's own errors are some
        return False
    return True


def _set_aside(path: Path, why: str) -> str:
    aside = path.with_name(f"{path.stem}-{time.strftime('%Y%m%d-%H%M%S')}.damaged")
    with contextlib.suppress(OSError):
        path.replace(aside)
    return f"The saved queue {why}; it is kept as {aside.name}, and the queue begins empty."


class Journal:
    """The file at `path`, written by this process alone. `lock` is the one under which the ledger is changed and
    `append` is called; `snapshot` gives the present; `landed` is called with records once they are durable, `failed`
    with a sentence when they cannot be (they are `landed`, too: the queue goes on without)."""

    def __init__(
        self,
        path: Path,
        lock: threading.Condition,
        snapshot: Callable[[], Iterable[AnyRecord]],
        landed: Callable[[Sequence[AnyRecord]], None],
        failed: Callable[[str], None],
    ) -> None:
        self._path = path
        self._lock = lock
        self._snapshot = snapshot
        self._landed = landed
        self._failed = failed
        self._pending: list[AnyRecord] = []
        self._lines = self._needed = 0
        self._rewrite = True  # the first write drops what an earlier engine left behind
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def append(self, record: AnyRecord) -> None:
        """Have a change written. Returns at once; the lock is held."""
        self._pending.append(record)
        self._lock.notify_all()

    def stop(self) -> None:
        """Have the thread end once everything is written."""
        with self._lock:
            self._stopped = True
            self._lock.notify_all()

    def join(self, timeout: float) -> None:
        """Wait for that, `timeout` seconds at most."""
        if self._thread.is_alive():
            self._thread.join(timeout)

    def _run(self) -> None:
        while True:
            with self._lock:
                while not self._pending and not self._stopped:
                    self._lock.wait()
                if not self._pending:
                    return
                records, self._pending = self._pending, []
            if self._is_wasteful() or not self._add(records):
                records += self._write_anew()
            self._landed(records)

    def _is_wasteful(self) -> bool:
        return self._rewrite or self._lines > max(_LEAST_LINES, _WASTE * self._needed)

    def _add(self, records: Sequence[AnyRecord]) -> bool:
        """Whether they could be added to the file."""
        try:
            descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND)
            with os.fdopen(descriptor, "wb") as file:
                file.write(b"".join(map(line_of, records)))
                file.flush()
                os.fsync(file.fileno())
        except OSError as fault:
            _log.warning("The queue is written anew: %s", fault)
            return False
        self._lines += len(records)
        return True

    def _write_anew(self) -> list[AnyRecord]:
        """Write the present in place of the file; returns the changes since the last look that it holds, too."""
        with self._lock:
            included, self._pending = self._pending, []
            whole = list(self._snapshot())
        try:
            write_atomically(self._path, _HEADER + b"".join(map(line_of, whole)))
        except OSError as fault:
            _log.error("The queue could not be written: %s", fault)
            self._rewrite = True  # the last line there may be half a line
            reason = fault.strerror or type(fault).__name__
            self._failed(f"The queue cannot be saved ({reason}): what waits is lost if the engine dies.")
        else:
            self._rewrite = False
            self._lines = self._needed = len(whole)
        return included
