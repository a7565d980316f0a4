"""Opening what others put into a folder: files alone, and never waiting."""

from __future__ import annotations

import errno
import os
import stat
from io import BufferedReader
from pathlib import Path


def open_regular(path: Path | str) -> BufferedReader:
    """The file at `path`, to be read. Raises OSError for what is none: a named pipe would be waited for without end,
    and a device may have no end."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        says = "it is a directory" if stat.S_ISDIR(mode) else "it is not a file"
        raise OSError(errno.EINVAL, says, str(path))
    return os.fdopen(descriptor, "rb")
