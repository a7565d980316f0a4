"""`sdtui trace`: the run of a prompt as files: contact sheet, noise schedule, latent channels, numbers."""

from __future__ import annotations

import csv
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import Final, TypeVar

from PIL import Image, ImageDraw, ImageFont

from sdcore.engine.messages import GetView, OpenTrace, SaveTrace, TraceOpened, TraceSaved, ViewReady
from sdcore.library.config import load
from sdcore.spec.views import GuidanceView, LatentsView, Picture, SheetView, TraceInfo, ViewKind
from tui.commands.console import CommandError, complain, say, say_json
from tui.commands.generate import recipe_of, writable
from tui.commands.making import Maker

V = TypeVar("V", LatentsView, GuidanceView, SheetView)

SHEET, SCHEDULE, NUMBERS = "contact-sheet.png", "schedule.png", "steps.csv"
CHANNEL_SIDE: Final = 192
"""About how many pixels wide a channel is drawn."""
_PLOT: Final = (960, 540)
_MARGIN: Final = 60
_GAP: Final = 8
_INK, _LINE, _PAPER = "#20242c", "#d0741c", "#ffffff"


def run(options: Namespace) -> int:
    """Make the image, write what its run was like, and print each path."""
    settings, problems = load()
    for problem in problems:
        complain(problem)
    recipe = recipe_of(options, options.model or settings.model)
    folder = writable(Path(options.out).absolute())
    with Maker(device=options.device, folder=folder) as maker:
        image = maker.make(recipe, "sampling").images[0].path
        info = maker.ask(OpenTrace(request=0, source=image), TraceOpened).info
        book = _Book(maker, info)
        try:
            paths = [
                Path(image),
                Path(maker.ask(SaveTrace(request=0, trace=info.trace), TraceSaved).path),
                _save(_picture(book.view("sheet", SheetView, every=options.every).picture), folder / SHEET),
                _save(schedule_plot(info), folder / SCHEDULE),
                *_channel_files(book, options.every, folder),
                _numbers(book, folder / NUMBERS),
            ]
        except OSError as fault:
            raise CommandError(
                f"{folder} could not be written to: {fault.strerror or fault}; choose another folder."
            ) from fault
    if options.json:
        say_json({"paths": [str(path) for path in paths]})
    else:
        for path in paths:
            say(str(path))
    return 0


class _Book:
    """The views of one run."""

    def __init__(self, maker: Maker, info: TraceInfo) -> None:
        self._maker = maker
        self.info = info

    def view(self, what: ViewKind, kind: type[V], step: int = 0, every: int = 1) -> V:
        command = GetView(request=0, trace=self.info.trace, what=what, step=step, every=every)
        found = self._maker.ask(command, ViewReady).view
        assert isinstance(found, kind)
        return found


def _channel_files(book: _Book, every: int, folder: Path) -> Iterator[Path]:
    yield _save(channel_row(book.view("noise", LatentsView)), folder / "latents-noise.png")
    yield _save(channel_row(book.view("scaled noise", LatentsView)), folder / "latents-scaled-noise.png")
    for step in range(0, book.info.recorded, every):
        row = channel_row(book.view("latents", LatentsView, step))
        yield _save(row, folder / f"latents-{step:03d}.png")


def channel_row(latents: LatentsView) -> Image.Image:
    """The channels side by side in grey, each latent a square."""
    pictures = [_picture(channel.picture) for channel in latents.channels]
    scale = max(1, CHANNEL_SIDE // pictures[0].width)
    width, height = pictures[0].width * scale, pictures[0].height * scale
    row = Image.new("RGB", (len(pictures) * (width + _GAP) - _GAP, height), _PAPER)
    for place, picture in enumerate(pictures):
        row.paste(picture.resize((width, height), Image.Resampling.NEAREST), (place * (width + _GAP), 0))
    return row


def schedule_plot(info: TraceInfo) -> Image.Image:
    """Sigma over the forward passes: N+1 points, the last where the run ends."""
    plot = Image.new("RGB", _PLOT, _PAPER)
    draw = ImageDraw.Draw(plot)
    font, small = ImageFont.load_default(20), ImageFont.load_default(15)
    left, top, right, bottom = _MARGIN, _MARGIN, _PLOT[0] - _MARGIN // 2, _PLOT[1] - _MARGIN
    highest, last = max(info.sigmas), len(info.sigmas) - 1
    points = [
        (left + (right - left) * k / last, bottom - (bottom - top) * sigma / highest)
        for k, sigma in enumerate(info.sigmas)
    ]
    draw.line([(left, top), (left, bottom), (right, bottom)], fill=_INK, width=1)
    draw.line(points, fill=_LINE, width=3, joint="curve")
    for x, y in points:
        draw.ellipse((x - 3, y - 3, x + 3, y + 3), fill=_LINE)
    recipe = info.recipe
    title = f"noise schedule: {recipe.sampler}, {recipe.schedule}, {len(info.timesteps)} forward passes"
    draw.text((left, top / 3), title, fill=_INK, font=font)
    draw.text((left - 8, top), f"{highest:.2f}", fill=_INK, font=small, anchor="rm")
    draw.text((left - 8, bottom), "0", fill=_INK, font=small, anchor="rm")
    draw.text((left - 8, (top + bottom) / 2), "sigma", fill=_INK, font=small, anchor="rm")
    draw.text((left, bottom + 8), "0", fill=_INK, font=small, anchor="ma")
    draw.text((right, bottom + 8), str(last), fill=_INK, font=small, anchor="ma")
    return plot


def _numbers(book: _Book, path: Path) -> Path:
    """A row a forward pass. Means and deviations are those of the latents before it, channel by channel."""
    info = book.info
    guidance = book.view("guidance", GuidanceView)
    channels = range(info.latent_shape[0])
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(
            ["step", "timestep", "sigma", "next_sigma", "alpha_bar", "seconds"]
            + [f"{name}_{channel}" for name in ("mean", "deviation") for channel in channels]
            + ["guidance_norm", "guidance_degrees"]
        )
        for k in range(info.recorded):
            sigma = info.sigmas[k]
            latents = book.view("latents", LatentsView, k).channels
            table.writerow(
                [k, info.timesteps[k], sigma, info.sigmas[k + 1], 1 / (1 + sigma**2), info.seconds[k]]
                + [one.mean for one in latents]
                + [one.deviation for one in latents]
                + [
                    guidance.norms[k] if guidance.norms else "",
                    guidance.degrees[k] if guidance.degrees else "",
                ]
            )
    path.chmod(0o600)
    return path


def _picture(picture: Picture) -> Image.Image:
    return Image.frombytes("RGB", (picture.width, picture.height), picture.rgb)


def _save(image: Image.Image, path: Path) -> Path:
    image.save(path)
    path.chmod(0o600)
    return path
