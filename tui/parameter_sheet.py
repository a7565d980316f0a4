"""What the rows of a parameters pane say, right or wrong, and what they make. No widgets here."""

from __future__ import annotations

import msgspec

from sdcore.spec.recipe import Recipe
from tui.parameter_row import Row
from tui.parameter_rows import (
    BY_NAME,
    ORDER_ROWS,
    Order,
    in_effect,
    read_order,
    read_rows,
    write_order,
    write_rows,
)


class Sheet:
    """The text of every row as it was typed; `recipe`, `order` and `faults` are what they make as far as they can be
    read, and a message for each row that is wrong. `notes` stand quietly under their rows."""

    def __init__(self, recipe: Recipe) -> None:
        self.base = recipe
        self.texts = write_rows(recipe) | write_order(Order())
        self.recipe = recipe
        self.order = Order()
        self.faults: dict[str, str] = {}
        self.notes: dict[str, str] = {}
        self._known = ("", "")
        self._wrong: dict[str, tuple[str, str]] = {}
        self.look()

    @property
    def family(self) -> str:
        """The family of the model that is named, "" where that is not known."""
        model, family = self._known
        return family if self.texts["model"] == model else ""

    def know(self, model: str, family: str) -> None:
        """Keep to what models of `family` can do while `model` is named."""
        self._known = model, family

    def tell(self, name: str, note: str, fault: str) -> None:
        """Note under a file's row what is so, or what is wrong with it; until its text changes."""
        self.notes[name] = note
        self._wrong[name] = (self.texts[name], fault)

    def write(self, texts: dict[str, str]) -> list[str]:
        """Have the rows say this; the names of those that said something else."""
        changed = [name for name, text in texts.items() if self.texts[name] != text]
        for name in changed:
            self.texts[name] = texts[name]
            self.notes.pop(name, None)
        return changed

    def look(self) -> None:
        """Take the texts up as they are now."""
        self.recipe, self.order, self.faults = self._read(self.base)

    def read(self, prompt: str, negative_prompt: str) -> tuple[Recipe, dict[str, str]]:
        """The recipe of these prompts and the rows, and a message for each that is wrong."""
        base = msgspec.structs.replace(self.base, prompt=prompt, negative_prompt=negative_prompt)
        recipe, _, faults = self._read(base)
        return recipe, faults

    def _read(self, base: Recipe) -> tuple[Recipe, Order, dict[str, str]]:
        recipe, faults = read_rows(self.texts, base, self.family)
        order, wrong = read_order(self.texts, recipe)
        faults = wrong | faults
        faults |= {
            name: fault
            for name, (text, fault) in self._wrong.items()
            if fault and name not in faults and text == self.texts[name] and in_effect(BY_NAME[name], recipe)
        }
        return recipe, order, faults

    def proper(self, rows: tuple[Row, ...]) -> dict[str, str]:
        """The texts of the rows that can be read, the way they are shown: `96x64` is `96 × 64`."""
        recipe, faults = read_rows(self.texts, self.base, self.family)
        order, wrong = read_order(self.texts, recipe)
        shown = write_rows(recipe) | write_order(order)
        return {row.name: shown[row.name] for row in rows
                if row.name not in faults | wrong and row.kind != "listed" and in_effect(row, recipe)}  # fmt: skip

    def changed(self, row: Row, direction: int) -> str:
        """The row's text one step up or down, from the value that it has or, if it is wrong, had."""
        return row.change(self.order if row in ORDER_ROWS else self.recipe, direction, self.family)

    def at_rest(self, row: Row) -> str:
        """The row's text in a new recipe or order."""
        new = Order() if row in ORDER_ROWS else Recipe(model=self.base.model, seed=self.base.seed)
        return row.write(new)
