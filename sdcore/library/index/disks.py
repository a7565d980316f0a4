"""Which file systems belong to another machine: they tell nobody what others change, and share no memory."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

_REMOTE: Final = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "lustre", "gpfs", "beegfs", "glusterfs"}
    | {"fuse.sshfs", "fuse.s3fs", "fuse.rclone", "fuse.glusterfs", "fuse.ceph", "fuse.gcsfuse", "davfs"}
)
_TABLE: Final = Path("/proc/self/mountinfo")
_OCTAL: Final = re.compile(r"\\([0-7]{3})")


def is_remote(path: Path) -> bool:
    """Whether `path` (which need not exist) lies on a disk of the network. False where that cannot be told."""
    place = os.path.realpath(path)
    best, kind = "", ""
    for point, name in _mounts():
        if len(point) >= len(best) and (place == point or place.startswith(point.rstrip("/") + "/")):
            best, kind = point, name
    return kind in _REMOTE


def _mounts() -> list[tuple[str, str]]:
    """Where each file system is mounted, and its type, in the order of mounting (proc(5))."""
    try:
        lines = _TABLE.read_text(errors="surrogateescape").splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        left, _, right = line.partition(" - ")
        fields = left.split(" ")
        if len(fields) > 4 and right:
            found.append((_OCTAL.sub(lambda match: chr(int(match[1], 8)), fields[4]), right.split(" ")[0]))
    return found
