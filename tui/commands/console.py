"""What all commands share: how they print, and how they fail."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from sdcore.secrecy import without_secrets
from sdcore.spec.sanitise import sanitise
from tui.term import colour

if TYPE_CHECKING:
    from rich.console import Console

FAILED: Final = 1
USAGE: Final = 2


class CommandError(Exception):
    """A command cannot go on; the message is one sentence, `status` the exit status."""

    def __init__(self, message: str, status: int = FAILED) -> None:
        super().__init__(message)
        self.status = status


def say(text: str = "") -> None:
    """One or more lines of text for a person, on stdout, at once."""
    print(sanitise(text), flush=True)


def complain(text: str) -> None:
    """A sentence on stderr."""
    print(sanitise(without_secrets(text)), file=sys.stderr, flush=True)


def say_json(value: Any) -> None:
    """One JSON object as one line of plain ASCII on stdout: nothing in it reaches a terminal raw."""
    print(json.dumps(value, allow_nan=False).replace("\x7f", "\\u007f"), flush=True)


def say_columns(rows: Iterable[tuple[str, ...]]) -> None:
    """Rows of cells in columns as wide as they need to be; a cell of the last column may be many lines."""
    shown = [(*(sanitise(cell, newlines=False) for cell in row[:-1]), sanitise(row[-1])) for row in rows]
    from rich.cells import cell_len

    widths = [max(map(cell_len, column)) for column in list(zip(*shown, strict=True))[:-1]]
    margin = " " * sum(width + 2 for width in widths)
    for row in shown:
        cells = "".join(
            f"{cell}{' ' * (width - cell_len(cell) + 2)}" for cell, width in zip(row, widths, strict=False)
        )
        say(f"{cells}{row[-1].replace(chr(10), chr(10) + margin)}".rstrip())


def rich_console(
    *,
    stderr: bool = False,
    color: str = "auto",
    ask: Callable[[Mapping[str, str]], bool | None] | None = None,
) -> Console:
    """A console of rich that takes nothing in its text for markup; `color` is a value of `--color`.

    Where the stream is no terminal there are no colours, unless they are asked for. `ask` as in `colour.decide`.
    """
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    wanted = color != "auto" or stream.isatty()
    system = colour.decide(color, ask=ask).color_system if wanted and not stderr else "auto"
    forced = True if color != "auto" else None
    return Console(
        stderr=stderr, color_system=system, force_terminal=forced, markup=False, emoji=False, highlight=False
    )
