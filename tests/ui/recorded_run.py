"""A recorded run that was never sampled: what an engine would tell of it, made up and the same every time."""

from __future__ import annotations

import math
from collections.abc import Callable

from PIL import Image

from sdcore.engine import messages as m
from sdcore.spec import views as v
from sdcore.spec.lineage import Parent, Segment
from sdcore.spec.recipe import FIRST_PROMPT, Recipe
from tests.ui.fake_engine import sigmas, timesteps

SIDE = 16
FILE = "/pictures/00001-1632-a-house"


class RecordedRun:
    """Answers commands on one trace; `questions` notes what was asked. Kinds in `held` are answered by `release`,
    those in `broken` by a sentence."""

    def __init__(
        self, recipe: Recipe | None = None, *, recorded: int | None = None, channels: int = 4,
        parent: Parent | None = None, left_out: str = "", images: tuple[str, ...] = (f"{FILE}.png",),
    ) -> None:  # fmt: skip
        self.recipe = recipe or Recipe(prompt=FIRST_PROMPT, seed=1632)
        self.channels = channels
        self.left_out = left_out
        self.questions: list[m.GetView] = []
        self.held: set[v.ViewKind] = set()
        self.broken: dict[v.ViewKind, str] = {}
        self._waiting: list[m.GetView] = []
        steps = self.recipe.steps
        self.info = v.TraceInfo(
            trace="trace-1", recipe=self.recipe, segments=(Segment(start=0, recipe=self.recipe),), parent=parent,
            images=images, timesteps=timesteps(steps), sigmas=sigmas(steps),
            seconds=tuple(0.030 + k / 10_000 for k in range(steps if recorded is None else recorded)),
            recorded=steps if recorded is None else recorded, init_noise_sigma=14.6146, evals_per_step=1,
            latent_shape=(channels, SIDE, SIDE), family="SD 1", model_hash="0123456789",
        )  # fmt: skip

    def answer(self, command: m.AnyCommand) -> list[m.AnyEvent]:
        """What the engine says to `command`."""
        match command:
            case m.OpenTrace():
                return [m.TraceOpened(request=command.request, info=self.info)]
            case m.SaveTrace():
                return [m.TraceSaved(request=command.request, path=f"{FILE}.trace.safetensors")]
            case m.GetView():
                self.questions.append(command)
                if command.what in self.held:
                    self._waiting.append(command)
                    return []
                return [self._view(command)]
            case m.PlanSchedule() if command.request < 0:
                return [plan(command)]
        return []

    def release(self) -> list[m.AnyEvent]:
        """The answers to what was held."""
        waiting, self._waiting = self._waiting, []
        self.held.clear()
        return [self._view(question) for question in waiting]

    def asked(self, what: v.ViewKind) -> list[int]:
        """The steps of which a view was asked for, in order."""
        return [question.step for question in self.questions if question.what == what]

    def _view(self, question: m.GetView) -> m.AnyEvent:
        if question.what in self.broken:
            return m.TraceFailed(request=question.request, message=self.broken[question.what])
        view = _MAKERS[question.what](self, question)
        return m.ViewReady(
            request=question.request, trace=question.trace, what=question.what, step=question.step, view=view
        )

    def share(self, step: int) -> float:
        """How much of the noise is gone at `step`, 0..1."""
        return max(0, step) / max(1, self.recipe.steps - 1)


def plan(command: m.PlanSchedule) -> m.SchedulePlanned:
    """A schedule between the largest and the smallest sigma, bent by the letters of its name."""
    steps, bend = command.recipe.steps, 1 + sum(map(ord, command.recipe.schedule)) % 97 / 60
    own = sigmas(steps)
    planned = tuple(own[0] * (own[-2] / own[0]) ** ((k / (steps - 1)) ** (1 / bend)) for k in range(steps))
    return m.SchedulePlanned(request=command.request, timesteps=timesteps(steps), sigmas=(*planned, 0.0))


def _noise(x: int, y: int, salt: int) -> float:
    """Between -1 and 1, without order."""
    value = math.sin(x * 12.9898 + y * 78.233 + salt * 37.719) * 43758.5453
    return 2 * (value - math.floor(value)) - 1


def _house(x: float, y: float) -> tuple[int, int, int]:
    """A house on a field under a sun, x and y in 0..1."""
    if (x - 0.8) ** 2 + (y - 0.2) ** 2 < 0.012:
        return 240, 200, 90
    if 0.3 < x < 0.7 and 0.45 < y < 0.8:
        return (90, 50, 40) if 0.45 < x < 0.55 and y > 0.6 else (190, 120, 80)
    if 0.25 < y < 0.45 and abs(x - 0.5) < (y - 0.2):
        return 150, 50, 45
    return (70, 120, 60) if y > 0.75 else (90, 140 + round(60 * y), 200)


def _picture(size: int, shade: Callable[[int, int], tuple[float, float, float]]) -> v.Picture:
    values = [
        max(0, min(255, round(value))) for y in range(size) for x in range(size) for value in shade(x, y)
    ]
    return v.Picture(width=size, height=size, rgb=bytes(values))


def _mixed(share: float, salt: int, size: int = SIDE) -> v.Picture:
    """The house through noise: `share` of it is seen."""

    def shade(x: int, y: int) -> tuple[float, float, float]:
        house = _house((x + 0.5) / size, (y + 0.5) / size)
        return tuple(
            share * value + (1 - share) * (128 + 127 * _noise(x, y, salt + band))
            for band, value in enumerate(house)
        )  # type: ignore[return-value]

    return _picture(size, shade)


def _grey(size: int, value: Callable[[int, int], float]) -> v.Picture:
    return _picture(size, lambda x, y: (255 * value(x, y),) * 3)


def _step(run: RecordedRun, question: m.GetView) -> v.AnyView:
    share, decoded = run.share(question.step), question.what == "decoded step"
    size = 8 * SIDE if decoded else SIDE
    return v.StepView(latents=_mixed(share, question.step, size), noise=_mixed(0.0, question.step + 50, size),
                      denoised=_mixed(0.3 + 0.7 * share, question.step + 90, size), decoded=decoded)  # fmt: skip


def _latents(run: RecordedRun, question: m.GetView) -> v.AnyView:
    share = run.share(question.step) if question.what == "latents" else 0.0
    return v.LatentsView(channels=tuple(_channel(index, share) for index in range(run.channels)),
                         latent_shape=(run.channels, SIDE, SIDE), pixel_shape=(3, 8 * SIDE, 8 * SIDE),
                         reduction=192 / run.channels)  # fmt: skip


def _channel(index: int, share: float) -> v.ChannelView:
    def value(x: int, y: int) -> float:
        wave = math.cos((x + index) / 4) * math.sin(y / 5)
        return 0.5 + 0.4 * (share * wave + (1 - share) * _noise(x, y, index))

    bell = tuple(round(90 * math.exp(-(((k - 15.5 + index) / 6) ** 2))) for k in range(v.HISTOGRAM_BINS))
    return v.ChannelView(mean=0.1 * index - 0.12, deviation=1.0 + 0.02 * index, minimum=-3.1 - index, low=-4.0,
                         maximum=3.4 + index, high=4.0, histogram=bell, picture=_grey(SIDE, value))  # fmt: skip


def _tokens(prompt: str, left_out: str) -> v.PromptView:
    words = prompt.replace(",", " ,").split()
    kinds: list[v.TokenKind] = ["start", *["word"] * len(words), "end"]  # type: ignore[list-item]
    kinds += ["padding"] * (77 - len(kinds))
    texts = ["<|startoftext|>", *words, *["<|endoftext|>"] * (76 - len(words))]
    tokens = tuple(
        v.TokenView(position=index, id=49406 if kind == "start" else 320 + 7 * index if kind == "word" else 49407,
                    text=text, kind=kind, attended=kind != "padding", norm=27.9 + index / 50,
                    distance=0.0 if kind == "start" else 20.5 - index / 9)
        for index, (kind, text) in enumerate(zip(kinds, texts, strict=True))
    )  # fmt: skip
    return v.PromptView(tokens=tokens, left_out=left_out)


def _text(run: RecordedRun, question: m.GetView) -> v.AnyView:
    guided = run.recipe.guidance_scale > 1
    shapes = (("token ids", (1, 77)), ("prompt embeddings", (1, 77, 768)), ("to the network", (2, 77, 768)))
    negative = _tokens(run.recipe.negative_prompt, "") if guided else None
    return v.TextView(prompt=_tokens(run.recipe.prompt, run.left_out), negative=negative, shapes=shapes)


def _guidance(run: RecordedRun, question: m.GetView) -> v.AnyView:
    if run.recipe.guidance_scale <= 1:
        return v.GuidanceView(norms=(), degrees=(), pull=None, strongest=0.0)
    steps = range(run.info.recorded)
    pull = _grey(SIDE, lambda x, y: math.exp(-((x - 8) ** 2 + (y - 9) ** 2) / 30))
    return v.GuidanceView(norms=tuple(1.5 + 4 * math.exp(-k / 7) for k in steps), pull=pull, strongest=0.83,
                          degrees=tuple(2.0 + 9 * math.sin(0.3 + k / 11) for k in steps))  # fmt: skip


def _attention(run: RecordedRun, question: m.GetView) -> v.AnyView:
    place = question.position
    heat = _grey(SIDE, lambda x, y: math.exp(-((x - 2 * place % SIDE) ** 2 + (y - 8) ** 2) / 40))
    return v.AttentionView(position=place, word="house", step=None if question.whole_run else question.step, heat=heat,
                           strongest=0.123)  # fmt: skip


def _sheet(run: RecordedRun, question: m.GetView) -> v.AnyView:
    steps = tuple(dict.fromkeys((*range(0, run.info.recorded, question.every), run.info.recorded - 1)))
    columns, gap = 5, 2
    tiles = [_mixed(0.3 + 0.7 * run.share(step), step + 90) for step in steps]
    rows, pitch = -(-len(tiles) // columns), SIDE + gap
    sheet = Image.new("RGB", (columns * pitch - gap, rows * pitch - gap), "white")
    for place, tile in enumerate(tiles):
        sheet.paste(
            Image.frombytes("RGB", (SIDE, SIDE), tile.rgb),
            (place % columns * pitch, place // columns * pitch),
        )
    picture = v.Picture(width=sheet.width, height=sheet.height, rgb=sheet.tobytes())
    return v.SheetView(picture=picture, steps=steps, columns=columns, gap=gap)


_MAKERS: dict[str, Callable[[RecordedRun, m.GetView], v.AnyView]] = {
    "text": _text, "noise": _latents, "scaled noise": _latents, "latents": _latents, "step": _step,
    "decoded step": _step, "guidance": _guidance, "attention": _attention, "sheet": _sheet,
}  # fmt: skip
