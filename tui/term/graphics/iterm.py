"""iTerm2's inline images (https://iterm2.com/documentation-images.html): one escape sequence, drawn at the cursor."""

from __future__ import annotations

import base64


def inline(data: bytes, columns: int, rows: int) -> str:
    """A PNG or JPEG that the terminal scales to `columns` x `rows` cells; the cursor may be anywhere afterwards."""
    control = (
        f"inline=1;size={len(data)};width={columns};height={rows};preserveAspectRatio=0;doNotMoveCursor=1"
    )
    return f"\x1b]1337;File={control}:{base64.b64encode(data).decode()}\x07"
