"""The person's presets: named sets of parameters in `presets.toml`, in the folder of the settings."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from sdcore.library import paths
from sdcore.library.named_tables import NamedTables, NamedTablesError, Table
from sdcore.spec.recipe import Recipe
from sdcore.spec.sanitise import sanitise

__all__ = ["FIELDS", "NamedTablesError", "Preset", "Presets", "applied"]

_NEVER: Final = ("sigmas", "earlier_variations")
"""What only means something with the recipe that it is of."""
FIELDS: Final = tuple(name for name in Recipe.__struct_fields__ if name not in _NEVER)
"""The fields of a recipe that a preset can set, as `presets.toml` calls them."""

Preset = Mapping[str, Any]
"""Values by field. What is not named stays as it is."""


class Presets:
    """What is in `presets.toml`: `[presets."name"]` with fields of a recipe. Everything here reads the disk."""

    def __init__(self, path: Path | None = None) -> None:
        self._tables = NamedTables(path or paths.config_dir() / "presets.toml", "presets")

    def load(self) -> tuple[dict[str, Preset], list[str]]:
        """Every preset by its name, in the order of the file, and a sentence for what in it means nothing; that is left
        out, and stays in the file until the preset is put anew."""
        tables, problems = self._tables.load()
        found: dict[str, Preset] = {}
        for name, table in tables.items():
            found[name], wrong = _read(table)
            if wrong:
                named = ", ".join(sanitise(key, newlines=False) for key in wrong)
                problems.append(f"Preset {sanitise(name, newlines=False)}: {named} cannot be used.")
        return found, problems

    def put(self, name: str, preset: Preset) -> None:
        """Keep a preset, in the place of one of that name. Raises `NamedTablesError`."""
        self._tables.put(name, preset)

    def rename(self, old: str, new: str) -> None:
        """Call it something else. Raises `NamedTablesError`."""
        self._tables.rename(old, new)

    def remove(self, name: str) -> None:
        """Forget it. Raises `NamedTablesError`."""
        self._tables.remove(name)


def applied(recipe: Recipe, preset: Preset) -> Recipe:
    """The recipe with what the preset says. Not checked."""
    return msgspec.structs.replace(recipe, **preset)


def _read(table: Table) -> tuple[dict[str, Any], list[str]]:
    """The fields that are ones with a value of their type, and the names of the others."""
    good: dict[str, Any] = {}
    wrong = []
    for key, value in table.items():
        try:
            if key not in FIELDS:
                raise msgspec.ValidationError
            good[key] = msgspec.convert(value, _TYPES[key])
        except msgspec.ValidationError:
            wrong.append(key)
    return good, wrong


_TYPES: Final = {field.name: field.type for field in msgspec.structs.fields(Recipe)}
