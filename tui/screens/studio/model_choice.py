"""Which model is set: chosen from all that there are, loaded, and the settings that it wants offered."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from sdcore.engine import messages as m
from sdcore.spec.recipe import Recipe
from sdcore.spec.wanted import Wanted, wanted_by
from tui.actions import BY_NAME
from tui.once_begun import once_begun
from tui.parameter_rows import ROWS, size_text, write_rows
from tui.widgets.status import MessageLine

if TYPE_CHECKING:
    from sdcore.spec.found import ModelFile
    from tui.line.stock import Stock
    from tui.screens.studio.screen import Studio


class ModelChoice:
    """Looks after the row that names the model."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio
        self._offered = ""

    def pick(self) -> None:
        """Show all models; the one that is taken is loaded."""
        self._studio.run_worker(once_begun(self._pick), group="choose", exclusive=True)

    async def _pick(self) -> None:
        from tui.screens.lists.models import Models
        from tui.widgets.model_lines import Device

        studio = self._studio
        device = Device(studio.view.memory_bytes, studio.view.device.startswith("cuda"))
        model = await studio.app.push_screen_wait(Models(studio.model_named, device, studio.app.stock))
        if model is not None:
            studio.parameters.set_texts({"model": model})
            studio.app.send(m.LoadModel(model=model))

    def loaded(self, ref: str) -> None:
        """The engine has this model ready: offer its settings, once, if those that are set are far from them."""
        if ref != self._offered:
            self._studio.run_worker(once_begun(self._offer, ref), group="offer", exclusive=True)

    async def _offer(self, ref: str) -> None:
        found = await wanted_settings(self._studio.app.stock, ref)
        recipe, _ = self._studio.read()
        said = self._studio.query_one(MessageLine)
        if found is None or ref != self._studio.model_named or (said.tone == "alert" and said.text):
            return
        self._offered = ref
        name, wanted = found
        if wanted.is_far(recipe):
            key = BY_NAME["model_settings"].key
            self._studio.view.say(
                f"{name} wants {_words(wanted, recipe)}: {key} sets that.",
                f"{name} wants other settings: {key} sets them.",
                f"This model wants other settings: {key} sets them.",
                tone="quiet",
            )

    def take_settings(self) -> None:
        """Set what the model wants."""
        self._studio.run_worker(once_begun(self._take_settings), group="choose", exclusive=True)

    async def _take_settings(self) -> None:
        studio = self._studio
        ref = studio.model_named
        found = await wanted_settings(studio.app.stock, ref)
        if found is None:
            studio.view.say("What this model wants is not known.")
            return
        name, wanted = found
        recipe, _ = studio.read()
        changes = wanted.settings(recipe)
        if not changes:
            studio.view.say(f"The settings are those that {name} wants.")
            return
        words = _words(wanted, recipe)
        texts = write_rows(msgspec.structs.replace(recipe, **changes))
        studio.parameters.set_texts(
            {row.name: texts[row.name] for row in ROWS if changes.keys() & set(row.fields)}
        )
        studio.view.say(f"Set as {name} wants it: {words}.", f"Set as {name} wants it.")


async def wanted_settings(stock: Stock, ref: str) -> tuple[str, Wanted] | None:
    """The name of the model that `ref` names and what it wants, None where that is not known."""
    model = await stock.model(ref)
    return (model.name, _wanted(model)) if model is not None and model.family else None


def _wanted(model: ModelFile) -> Wanted:
    if not model.bundled:
        return wanted_by(model.family, model.variant, model.native_size, model.name)
    new = Recipe()  # the settings of a new recipe are those of the bundled model
    return Wanted(family=model.family, variant="", side=model.native_size, steps=new.steps,
                  guidance_scale=new.guidance_scale, sampler=new.sampler, schedule=new.schedule)  # fmt: skip


def _words(wanted: Wanted, recipe: Recipe) -> str:
    """What is to be set, as a list."""
    changes = wanted.settings(recipe)
    said = {
        "steps": f"{wanted.steps} step{'' if wanted.steps == 1 else 's'}",
        "guidance_scale": f"guidance {wanted.guidance_scale:g}",
        "sampler": wanted.sampler,
        "schedule": f"the {wanted.schedule} schedule",
        "width": size_text(wanted.side, wanted.side),
    }
    return ", ".join(word for field, word in said.items() if field in changes)
