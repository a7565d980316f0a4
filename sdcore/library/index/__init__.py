"""The index of all images: read by `reader.Index`, written by one process alone, `keeper`. It can be deleted at any
time and is made again from the files."""

from __future__ import annotations

from sdcore.library.index.reader import Index, Progress, Row

__all__ = ["Index", "Progress", "Row"]
