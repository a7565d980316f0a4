"""A TOML file of named tables (`[styles."name"]`), changed without touching what is not: order and comments stay."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from sdcore.atomic import write_atomically
from sdcore.library import toml_text
from sdcore.library.setting import MISSING
from sdcore.library.toml_text import UnsafeError
from sdcore.spec.sanitise import sanitise

MAX_BYTES: Final = 4 * 1024 * 1024
MAX_NAME: Final = 200

Table = dict[str, Any]


class NamedTablesError(Exception):
    """The file could not be changed; the message is one sentence that says what to do."""


class NamedTables:
    """The tables below `root` in a file. Reading never fails; writing raises `NamedTablesError` and changes nothing
    then. What another program wrote meanwhile is kept."""

    def __init__(self, path: Path, root: str) -> None:
        self.path = path
        self._root = root

    def load(self) -> tuple[dict[str, Table], list[str]]:
        """Every table by its name, in the order of the file, and a sentence for what could not be read."""
        try:
            found = tomllib.loads(self._text())
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as fault:
            return {}, [f"{self._shown} could not be read: {sanitise(str(fault), newlines=False)}."]
        tables = found.get(self._root, {})
        if not isinstance(tables, dict):
            return {}, [f"{self._shown} has no tables called [{self._root}.…]."]
        wrong = [name for name, table in tables.items() if not isinstance(table, dict)]
        return {name: table for name, table in tables.items() if name not in wrong}, [
            f"{self._shown}: {sanitise(name, newlines=False)} is not a table; it is left out."
            for name in wrong
        ]

    def put(self, name: str, values: Mapping[str, Any]) -> None:
        """Set a table to these values, at the end of the file if it is new."""
        check_name(name)

        def change(text: str, tables: Mapping[str, Table]) -> str:
            gone = dict.fromkeys(tables.get(name, {}), MISSING)
            return toml_text.changed(text, {self._root: {name: {**gone, **values}}})

        self._change(change)

    def rename(self, old: str, new: str) -> None:
        """Call a table something else; its values and comments go along. Nothing may be called so yet."""
        check_name(new)
        if new in self.load()[0] and new != old:
            raise NamedTablesError(
                f"There is one called {sanitise(new, newlines=False)} already; choose another name."
            )
        if new != old:
            self._change(lambda text, _: toml_text.with_table_renamed(text, (self._root, old), new))

    def remove(self, name: str) -> None:
        """Take a table out."""
        self._change(lambda text, _: toml_text.without_table(text, self._root, name))

    def _change(self, change: Callable[[str, Mapping[str, Table]], str]) -> None:
        try:
            text = self._text()
            tables = tomllib.loads(text).get(self._root, {})
            if not isinstance(tables, dict):
                raise UnsafeError
            write_atomically(self.path, change(text, tables).encode())
        except UnicodeEncodeError as fault:
            raise NamedTablesError(
                "Half of a character cannot be kept; delete it and type it again."
            ) from fault
        except (UnicodeDecodeError, tomllib.TOMLDecodeError) as fault:
            raise NamedTablesError(
                f"{self._shown} is not valid TOML, so it was left alone; mend it by hand."
            ) from fault
        except UnsafeError as fault:
            raise NamedTablesError(
                f"{self._shown} is written in a way that cannot be changed safely; edit it by hand."
            ) from fault
        except OSError as fault:
            raise NamedTablesError(
                f"{self._shown} could not be written: {fault.strerror or fault}."
            ) from fault

    def _text(self) -> str:
        try:
            with self.path.open("rb") as file:
                return file.read(MAX_BYTES).decode("utf-8")
        except FileNotFoundError:
            return ""

    @property
    def _shown(self) -> str:
        return sanitise(self.path.name, newlines=False)


def check_name(name: str) -> None:
    """Raise `NamedTablesError` unless something can be called so."""
    if not name.strip() or name != name.strip() or len(name) > MAX_NAME:
        raise NamedTablesError(f"A name has 1 to {MAX_NAME} letters and no space around it.")
    if name != sanitise(name, newlines=False):
        raise NamedTablesError("A name is one line without control characters; type it again.")
