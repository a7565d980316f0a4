"""The person's styles: `styles.toml` in the folder of the settings, and A1111's `styles.csv` taken into it."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Final

from sdcore.library import paths
from sdcore.library.named_tables import MAX_BYTES, NamedTables, NamedTablesError, Table, check_name
from sdcore.regular import open_regular
from sdcore.spec.sanitise import sanitise
from sdcore.spec.styles import Style

__all__ = ["NamedTablesError", "Styles", "read_csv"]

_COLUMNS: Final = ("name", "prompt", "negative_prompt")
_MOST_TOLD: Final = 5


class Styles:
    """What is in `styles.toml`: `[styles."name"]` with `prompt` and `negative`. Everything here reads the disk."""

    def __init__(self, path: Path | None = None) -> None:
        self._tables = NamedTables(path or paths.config_dir() / "styles.toml", "styles")

    def load(self) -> tuple[dict[str, Style], list[str]]:
        """Every style by its name, in the order of the file, and a sentence for what could not be read."""
        tables, problems = self._tables.load()
        found = {name: _style(name, table) for name, table in tables.items()}
        wrong = [name for name, style in found.items() if style is None]
        problems += [
            f"Style {sanitise(name, newlines=False)}: prompt and negative must be texts; it is left out."
            for name in wrong
        ]
        return {name: style for name, style in found.items() if style is not None}, problems

    def put(self, style: Style) -> None:
        """Keep a style, in the place of one of that name. Raises `NamedTablesError`."""
        said = {"prompt": style.prompt, "negative": style.negative_prompt}
        self._tables.put(style.name, {key: value for key, value in said.items() if value})

    def rename(self, old: str, new: str) -> None:
        """Call it something else. Raises `NamedTablesError`."""
        self._tables.rename(old, new)

    def remove(self, name: str) -> None:
        """Forget it. Raises `NamedTablesError`."""
        self._tables.remove(name)

    def take_csv(self, path: Path) -> tuple[int, list[str]]:
        """Keep the styles of an A1111 `styles.csv` that are not here yet: how many there were, and what was not taken,
        in sentences. Raises `NamedTablesError`."""
        new, problems = read_csv(path)
        present, _ = self.load()
        taken = 0
        for style in new:
            if present.get(style.name) == style:
                continue
            if style.name in present:
                problems.append(f"{style.name} is here already with other words; yours was kept.")
                continue
            self.put(style)
            present[style.name] = style
            taken += 1
        return taken, problems


def _style(name: str, table: Table) -> Style | None:
    texts = [table.get(key, "") for key in ("prompt", "negative")]
    return Style(name, *texts) if all(isinstance(text, str) for text in texts) else None


def read_csv(path: Path) -> tuple[list[Style], list[str]]:
    """The styles of an A1111 `styles.csv` (`name,prompt,negative_prompt`), and a sentence for each line that is none.
    Raises `NamedTablesError` where the file cannot be read."""
    shown = sanitise(path.name, newlines=False)
    try:
        with open_regular(path) as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as fault:
        raise NamedTablesError(f"{shown} could not be read: {fault.strerror or fault}.") from fault
    if len(data) > MAX_BYTES:
        raise NamedTablesError(f"{shown} is too large for a file of styles; is it another one?")
    reader = csv.reader(io.StringIO(data.decode("utf-8-sig", "replace"), newline=""))
    styles: dict[str, Style] = {}
    problems: list[str] = []
    columns: list[str] = []
    begins = 1
    try:
        for row in reader:
            line, begins = begins, reader.line_num + 1
            if not columns:
                columns = [cell.strip().casefold() for cell in row]
                if "name" not in columns:
                    raise NamedTablesError(
                        f"{shown} is no file of styles: its first line must name its columns."
                    )
            elif row:
                cells = dict(zip(columns, row, strict=False))
                wrong = _wrong(cells, row, columns)
                if wrong:
                    problems.append(f"Line {line} {wrong}")
                else:
                    # the oldest files call the prompt "text"
                    prompt = cells.get("prompt", cells.get("text", ""))
                    style = Style(cells["name"].strip(), prompt, cells.get("negative_prompt") or "")
                    styles[style.name] = style
    except csv.Error as fault:
        problems.append(f"Line {begins} and what follows cannot be read: {fault}.")
    if len(problems) > _MOST_TOLD:
        problems[_MOST_TOLD - 1 :] = [f"{len(problems) - _MOST_TOLD + 1} more lines were left out."]
    return list(styles.values()), problems


def _wrong(cells: dict[str, str], row: list[str], columns: list[str]) -> str:
    if len(row) > len(columns):
        return "has too many columns; a text with commas wants quotes."
    try:
        check_name(cells["name"].strip())
    except NamedTablesError:
        return "has no name that a style can have."
    if not any(cells.get(column, "").strip() for column in ("prompt", "text", "negative_prompt")):
        return "says nothing."
    return ""
