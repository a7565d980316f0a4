"""What the next image starts from: the init image with its mask, and the other files that the parameters name."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sdcore.spec.recipe import MAX_SIZE
from tui.actions import Moment
from tui.files import complete
from tui.once_begun import once_begun
from tui.parameter_row import Files, absolute, short
from tui.parameter_rows import BY_NAME, ROWS, multiple_of, size_text
from tui.pictures import recent_images
from tui.screens.lists.vaes import ELSEWHERE
from tui.widgets.caption import Caption
from tui.widgets.parameter_lines import file_name

if TYPE_CHECKING:
    from PIL.Image import Image

    from tui.masking import Mask
    from tui.screens.studio.screen import Studio

IMAGE: Final = "init image"
MASK: Final = "mask"
_MOMENTS: Final[dict[Files, Moment]] = {"image": "file", "weights": "weights"}
FILES: Final = {row.name: _MOMENTS[row.files] for row in ROWS if row.kind == "file"}
"""The rows that name files, and what a person on them is at."""

_TOLD_BY: Final = frozenset({IMAGE, MASK, "strength", "size"})
_CHECK_DELAY: Final = 0.06
_NAME_ROOM: Final = 28
_LEAST_SIZE: Final = 64


class Starting:
    """Looks after the rows that name files, and after the line over the canvas that says what is started from."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio
        self._sizes: dict[str, tuple[str, tuple[int, int]]] = {}
        self._shown = False

    @property
    def shown(self) -> bool:
        """Whether the canvas shows the init image."""
        return self._shown

    # The rows

    def row_changed(self, name: str) -> None:
        """A row says something else now."""
        if name in FILES:
            self._studio.run_worker(once_begun(self._check, name), group=f"check {name}", exclusive=True)
        if name in _TOLD_BY:
            self._tell_size()
            self.show_caption()

    async def _check(self, name: str) -> None:
        """Complete the path that is being typed; look at the file that is named."""
        await asyncio.sleep(_CHECK_DELAY)
        panel, files = self._studio.parameters, BY_NAME[name].files
        text = panel.texts[name]
        typing = panel.typing and panel.row == name
        if typing:
            panel.suggest(name, text, await asyncio.to_thread(complete, text, files))
        try:
            path = absolute(text, files)
        except ValueError:
            return
        size, fault = await asyncio.to_thread(_look, path, files)
        if panel.texts[name] != text:
            return
        self._sizes.pop(name, None)
        if size is not None:
            self._sizes[name] = (text, size)
        panel.tell(name, fault="" if typing else fault)
        self._tell_size()
        self.show_caption()
        if self._shown:
            self._show()

    def _size(self, name: str) -> tuple[int, int] | None:
        """The size of the image that a row names, None where it is not known."""
        text, size = self._sizes.get(name, ("", (0, 0)))
        return size if text and text == self._studio.parameters.texts[name] else None

    def _tell_size(self) -> None:
        recipe = self._studio.parameters.recipe
        image, mask = self._size(IMAGE), self._size(MASK)
        if image is not None:
            same = image == (recipe.width, recipe.height)
            self._studio.parameters.tell(IMAGE, "" if same else f"will be resized from {size_text(*image)}")
        if mask is not None:
            self._studio.parameters.tell(
                MASK, "" if mask == image else f"will be resized from {size_text(*mask)}"
            )

    def own_size(self) -> None:
        """Make images as large as the init image, to the nearest size that can be made."""
        size = self._size(IMAGE)
        if size is None:
            self._studio.view.say(
                "There is no init image whose size could be taken; the row init image picks one."
            )
            return
        shrink, multiple = min(1.0, MAX_SIZE / max(size)), multiple_of(self._studio.parameters.family)
        width, height = (max(_LEAST_SIZE, round(side * shrink / multiple) * multiple) for side in size)
        self._studio.parameters.set_texts({"size": size_text(width, height)})

    def pick(self, name: str) -> None:
        """Have a file picked for a row."""
        self._studio.run_worker(once_begun(self._pick, name), group="choose", exclusive=True)

    async def _pick(self, name: str) -> None:
        if BY_NAME[name].files == "weights":
            vae = await self._known_vae(name)
            if vae is not None and vae != ELSEWHERE:
                self._studio.parameters.set_texts({name: short(vae)})
            if vae != ELSEWHERE:
                return
        await self._pick_file(name)

    async def _known_vae(self, name: str) -> str | None:
        """One of those that are found, or a value of `lists.vaes`; None where none was taken."""
        from tui.screens.lists.chooser import Chooser
        from tui.screens.lists.vaes import vae_choices

        studio, stock = self._studio, self._studio.app.stock
        studio.view.say("Looking for VAEs…")
        choices = vae_choices(await stock.vaes(), studio.parameters.family, here=stock.here)
        studio.view.say("")
        try:
            present = absolute(studio.parameters.texts[name], "weights")
        except ValueError:
            present = ""
        return await studio.app.push_screen_wait(Chooser(name, choices, present=present))

    async def _pick_file(self, name: str) -> None:
        files, panel = BY_NAME[name].files, self._studio.parameters
        folder, newest = await asyncio.to_thread(_first_folder, files, self._studio.outputs)
        from tui.screens.lists.files import FilePicker

        present = panel.texts[name] or newest
        path = await self._studio.app.push_screen_wait(FilePicker(name, files, present, folder))
        if path is not None:
            panel.set_texts({name: short(str(path))})

    # The init image

    def take(self) -> bool:
        """Start from the image that is shown; False where there is none."""
        path = self._studio.gallery.shown
        if path is None:
            self._studio.view.say("There is no image yet to start from; Enter makes one.")
            return False
        self.take_file(path)
        return True

    def take_file(self, path: Path) -> None:
        """Start from the image at `path`."""
        panel = self._studio.parameters
        panel.set_texts({IMAGE: short(str(path.absolute()))})
        self._studio.view.say(
            f"The next image starts from {path.name} at strength {panel.texts['strength']}; "
            "F12 starts from noise again.",
            f"The next image starts from this one at strength {panel.texts['strength']}.",
        )

    def clear(self) -> None:
        """Start from noise again."""
        panel = self._studio.parameters
        if panel.recipe.init_image:
            panel.set_texts({IMAGE: "", MASK: ""})
            self._studio.view.say("The next image starts from noise.")
        else:
            self._studio.view.say("The next image starts from noise as it is.")

    def show_caption(self) -> None:
        """Say over the canvas what is started from, or that this is what it shows."""
        recipe = self._studio.parameters.recipe
        caption = self._studio.query_one("#start", Caption)
        caption.display = bool(recipe.init_image)
        if not recipe.init_image:
            if self._shown:
                self._shown = False
                self._studio.gallery.show_again()
            return
        name = file_name(Path(recipe.init_image).name, _NAME_ROOM)
        masked = "masked" if recipe.mask_image else ""
        size = self._size(IMAGE)
        caption.show(
            (f"init image {name}", size_text(*size) if size else "", masked)
            if self._shown
            else (f"from {name}", f"strength {recipe.strength:g}", masked),
            accent=self._shown,
        )

    # On the canvas

    def toggle(self) -> None:
        """Show the init image on the canvas, or what was made again."""
        if self._shown:
            self.put_away()
            self._studio.gallery.show_again()
        elif not self._studio.parameters.recipe.init_image:
            self._studio.view.say("There is no init image; F9 starts from the image that is shown.")
        else:
            self._show()

    def put_away(self) -> None:
        """The canvas shows something else from now on."""
        if self._shown:
            self._shown = False
            self.show_caption()

    def _show(self) -> None:
        self._studio.run_worker(once_begun(self._show_image), group="picture", exclusive=True)

    async def _show_image(self) -> None:
        from sdcore.library.inputs import InputError

        recipe = self._studio.parameters.recipe
        try:
            picture = await asyncio.to_thread(_tinted, recipe.init_image, recipe.mask_image)
        except InputError as fault:
            self._studio.view.say(_sentence(fault), tone="alert")
            return
        if self._studio.gallery.canvas is not None:
            self._shown = True
            self._studio.gallery.canvas.show_image(picture)
            self.show_caption()

    # The mask

    def draw_mask(self) -> None:
        """Open the mask of the init image; without one, of the image that is shown."""
        if self._studio.parameters.recipe.init_image or self.take():
            self._studio.run_worker(once_begun(self._draw_mask), group="choose", exclusive=True)

    async def _draw_mask(self) -> None:
        from sdcore.library.inputs import InputError

        recipe = self._studio.parameters.recipe
        try:
            image, mask = await asyncio.to_thread(_open_mask, recipe.init_image, recipe.mask_image)
        except InputError as fault:
            self._studio.view.say(_sentence(fault), tone="alert")
            return
        from tui.screens.mask import MaskScreen

        name = file_name(Path(recipe.init_image).name, _NAME_ROOM)
        kept = await self._studio.app.push_screen_wait(
            MaskScreen(name, image, mask, (recipe.width, recipe.height))
        )
        if kept is not None:
            self._studio.parameters.set_texts({MASK: kept})
            self._studio.view.say(
                "The next image is repainted where the mask is." if kept else "Nothing is masked any more."
            )


def _sentence(fault: Exception) -> str:
    """What an error says, with the home folder as `~`."""
    return str(fault).replace(f"{Path.home()}/", "~/")


def _look(path: str, files: Files) -> tuple[tuple[int, int] | None, str]:
    """The size of an image, or what is wrong with the file; neither where nothing is named."""
    from sdcore.library.inputs import InputError, input_size

    if path and files == "image":
        try:
            return input_size(path), ""
        except InputError as fault:
            return None, _sentence(fault)
    missing = path.startswith("/") and not Path(path).exists()
    return None, f"There is no {Path(path).name} there; check the path." if missing else ""


def _tinted(image: str, mask: str) -> Image:
    """The init image under its mask; raises `InputError`."""
    from sdcore.library.inputs import read_input
    from tui.masking import tinted

    picture = read_input(image).convert("RGB")
    return tinted(picture, read_input(mask)) if mask else picture


def _open_mask(image: str, mask: str) -> tuple[Image, Mask]:
    """The init image, and the mask that it has, empty where it has none; raises `InputError`."""
    import tui.screens.mask  # noqa: F401
    from sdcore.library.inputs import read_input
    from tui.masking import Mask, mask_size

    picture = read_input(image).convert("RGB")
    return picture, Mask(mask_size(picture.size), read_input(mask) if mask else None)


def _first_folder(files: Files, outputs: Path) -> tuple[Path, str]:
    """Where to look first for a file of a kind, and the newest of ours, "" where there is none. Imports what the picker
    needs, which takes its time, too."""
    import tui.screens.lists.files  # noqa: F401
    from sdcore.library.paths import models_dir

    newest = recent_images(outputs, 1) if files == "image" else []
    folder = outputs if files == "image" else models_dir()
    return folder if folder.is_dir() else Path.home(), str(newest[0].absolute()) if newest else ""
