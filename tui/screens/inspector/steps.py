"""The Steps tab: a step in pixels, cheap or by the VAE, and the whole run as a contact sheet."""

from __future__ import annotations

from PIL import Image
from textual.app import ComposeResult

from sdcore.spec.views import Picture, SheetView, StepView
from tui.screens.inspector.tab import ASKING, Tab, excuse
from tui.traces import Place, ViewKey, Views, sheet_key, step_key
from tui.widgets.notes import Notes
from tui.widgets.picture_grid import GAP, Panel, PictureGrid

_TILE = 12
"""The least width of a picture of the contact sheet, in cells; it takes half as many lines, and one for its title."""
_CHEAP = "Cheap colours, a linear projection; d decodes this step with the VAE."
_DECODED = "Decoded with the VAE; d goes back to cheap colours."
_SHEET = "The estimates of x0 of every {every} step; c goes back to this one."


class StepsTab(Tab):
    """Latents, predicted noise and the estimate of x0 beside one another."""

    NAME = "Steps"
    MOMENT = "step"
    HELP = (
        "The step as pixels: the latents before it, the noise that the network predicts in them, and the estimate of "
        "x0 that follows. d decodes this step with the VAE, c shows the whole run as a contact sheet."
    )

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._decoded_at: int | None = None
        self._place: Place | None = None
        self.sheet = False

    def compose(self) -> ComposeResult:
        """The pictures, and a sentence on how they were made."""
        yield PictureGrid(id="step-pictures")
        yield Notes(id="step-notes")

    def wanted(self, place: Place) -> tuple[ViewKey, ...]:
        """This step, decoded too where that was asked for; or the contact sheet."""
        if self.sheet:
            return (sheet_key(place, self._every(place)),)
        decoded = (step_key(place, decoded=True),) if self._is_decoded(place) else ()
        return (step_key(place), *decoded)

    def likely(self, place: Place) -> tuple[ViewKey, ...]:
        """Cheap views alone."""
        return () if self.sheet else (step_key(place),)

    def _is_decoded(self, place: Place) -> bool:
        return self._decoded_at == place.step

    def _every(self, place: Place) -> int:
        """The smallest number so that a picture of every so many steps has room."""
        width, height = self.query_one(PictureGrid).size
        room = max(1, (width + GAP) // (_TILE + GAP)) * max(1, height // (_TILE // 2 + 2))
        last = place.info.recorded - 1
        # the sheet has the last step, too, whatever the number
        return next(every for every in range(1, last + 2) if -(-last // every) + 1 <= max(2, room))

    def show(self, place: Place, views: Views) -> None:
        """This step or the sheet. Who moves on from a decoded step sees cheap colours again."""
        if self._place is not None and place.step != self._place.step:
            self._decoded_at = None
        self._place = place
        if self.sheet:
            self._show_sheet(place, views)
        else:
            self._show_step(place, views)

    def _show_step(self, place: Place, views: Views) -> None:
        grid, notes = self.query_one(PictureGrid), self.query_one(Notes)
        cheap, decoded = views.get(step_key(place)), None
        note = _CHEAP
        if self._is_decoded(place):
            key = step_key(place, decoded=True)
            decoded = views.get(key)
            note = (
                _DECODED
                if decoded is not None
                else views.problem(key) or f"{ASKING} The VAE decodes this step."
            )
        view = decoded or cheap
        if isinstance(view, StepView):
            grid.show(*(Panel(title, picture) for title, picture in (
                ("latents", view.latents), ("predicted noise", view.noise), ("x0 estimate", view.denoised)
            )))  # fmt: skip
        elif not grid.panels or views.problem(step_key(place)):
            grid.show_hint(excuse(views, step_key(place)))
        notes.show(note)

    def _show_sheet(self, place: Place, views: Views) -> None:
        every = self._every(place)
        key = sheet_key(place, every)
        view = views.get(key)
        grid = self.query_one(PictureGrid)
        self.query_one(Notes).show(_SHEET.format(every=_ordinal(every)))
        if isinstance(view, SheetView):
            # the tile of the present step, or the last one before it
            here = max((step for step in view.steps if step <= max(0, place.step)), default=-1)
            tiles = cut(view)
            grid.show(*(
                Panel(f"k {step}", tile, marked=step == here) for step, tile in zip(view.steps, tiles, strict=False)
            ))  # fmt: skip
        elif not grid.panels or views.problem(key):
            grid.show_hint(excuse(views, key))

    def decode(self) -> None:
        """Decode this step with the VAE, or go back to cheap colours."""
        self.sheet = False
        if self._place is not None:
            self._decoded_at = None if self._is_decoded(self._place) else self._place.step
        self.change()

    def toggle_sheet(self) -> None:
        """Show the contact sheet, or this step again."""
        self.sheet = not self.sheet
        self.query_one(PictureGrid).show_hint(ASKING)
        self.change()

    def on_resize(self) -> None:
        """Another size has room for another number of pictures."""
        if self.sheet:
            self.change()


def cut(sheet: SheetView) -> list[Picture]:
    """The pictures of a contact sheet, one by one."""
    picture = sheet.picture
    image = Image.frombytes("RGB", (picture.width, picture.height), picture.rgb)
    rows = max(1, -(-len(sheet.steps) // sheet.columns))
    across, down = (picture.width + sheet.gap) // sheet.columns, (picture.height + sheet.gap) // rows
    width, height = across - sheet.gap, down - sheet.gap
    tiles = []
    for index in range(len(sheet.steps)):
        left, top = index % sheet.columns * across, index // sheet.columns * down
        tile = image.crop((left, top, left + width, top + height))
        tiles.append(Picture(width=width, height=height, rgb=tile.tobytes()))
    return tiles


def _ordinal(number: int) -> str:
    endings = {1: "single", 2: "2nd", 3: "3rd"}
    return endings.get(number, f"{number}th")
