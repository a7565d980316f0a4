"""The views of recorded runs: asked for once, kept within a budget, the newest wish of a kind first. No widgets."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable
from itertools import count
from typing import Final

import msgspec

from sdcore.engine import messages as m
from sdcore.spec import views as v
from sdcore.spec.prompt_schedule import groups_of

BUDGET: Final = 96 << 20
"""Bytes of pictures that are kept."""
_AT_ONCE: Final[dict[v.ViewKind, int]] = {"decoded step": 1, "attention": 1, "sheet": 1}
_CHEAP_AT_ONCE: Final = 3
_SMALL: Final = 16 << 10
"""What a view counts for beside its pictures."""


class Place(msgspec.Struct, frozen=True):
    """Where in a recorded run one looks: at forward pass `step` of image `image` of its batch. Steps -1 and -2 are
    the initial noise after and before scaling."""

    info: v.TraceInfo
    step: int = 0
    image: int = 0

    @property
    def recorded(self) -> bool:
        """Whether there is anything to see here yet."""
        return self.step < self.info.recorded

    @property
    def segment_start(self) -> int:
        """The first step under the recipe that this step ran under."""
        return max((part.start for part in self.info.segments if part.start <= self.step), default=0)


class ViewKey(msgspec.Struct, frozen=True):
    """One view, named so that what looks the same has the same name. `recorded` is how many steps there were, where
    the view covers them all."""

    trace: str
    what: v.ViewKind
    step: int = 0
    image: int = 0
    position: int = 0
    whole_run: bool = False
    every: int = 1
    recorded: int = 0


def text_key(place: Place) -> ViewKey:
    """The tokens of the prompts that this step ran under: the same for all under one recipe, unless they change on
    their way."""
    start = place.segment_start
    recipe = next(part.recipe for part in reversed(place.info.segments) if part.start <= start)
    changing = groups_of(recipe.prompt) or groups_of(recipe.negative_prompt)
    return ViewKey(place.info.trace, "text", max(start, place.step) if changing else start)


def latents_key(place: Place) -> ViewKey:
    """The latents before this step, or the initial noise."""
    what: v.ViewKind = {-2: "noise", -1: "scaled noise"}.get(place.step, "latents")  # type: ignore[assignment]
    return ViewKey(place.info.trace, what, max(0, place.step), place.image)


def step_key(place: Place, *, decoded: bool = False) -> ViewKey:
    """The step in pixels, cheap or by the VAE."""
    return ViewKey(place.info.trace, "decoded step" if decoded else "step", place.step, place.image)


def guidance_key(place: Place) -> ViewKey:
    """Guidance at this step and over what is recorded."""
    return ViewKey(place.info.trace, "guidance", place.step, place.image, recorded=place.info.recorded)


def attention_key(place: Place, position: int, *, whole_run: bool) -> ViewKey:
    """Where the attention looked for the token at `position`, at this step or over what is recorded."""
    step, recorded = (0, place.info.recorded) if whole_run else (place.step, 0)
    return ViewKey(place.info.trace, "attention", step, place.image, position, whole_run, recorded=recorded)


def sheet_key(place: Place, every: int) -> ViewKey:
    """The contact sheet of every `every`-th recorded step."""
    return ViewKey(place.info.trace, "sheet", 0, place.image, every=every, recorded=place.info.recorded)


class Views:
    """Asks an engine for views, through `send`, and keeps what it answers.

    Of a kind only a few questions are under way at once; what is wanted meanwhile waits, and of that the newest
    alone. Requests count down from -1, so that they are never those of the studio's plans, which count up.
    """

    def __init__(self, send: Callable[[m.AnyCommand], None]) -> None:
        self._send = send
        self._requests = count(-1, -1)
        self._kept: OrderedDict[ViewKey, v.AnyView] = OrderedDict()
        self._bytes = 0
        self._problems: dict[ViewKey, str] = {}
        self._asked: dict[int, ViewKey] = {}
        self._waiting: dict[v.ViewKind, ViewKey] = {}

    def new_request(self) -> int:
        """A number for a question that nothing else has."""
        return next(self._requests)

    def get(self, key: ViewKey) -> v.AnyView | None:
        """The view, if it is there."""
        if key in self._kept:
            self._kept.move_to_end(key)
        return self._kept.get(key)

    def problem(self, key: ViewKey) -> str:
        """Why the view cannot be had; empty unless that is so."""
        return self._problems.get(key, "")

    def want(self, key: ViewKey) -> None:
        """Have the view fetched: now, or as soon as an earlier question of its kind is answered."""
        if self._is_known(key):
            self._waiting.pop(key.what, None)
        elif not self._ask(key):
            self._waiting[key.what] = key

    def ahead(self, key: ViewKey) -> None:
        """Have a view fetched that is likely to be wanted next, unless something else is waited for."""
        if not self._is_known(key) and key.what not in self._waiting:
            self._ask(key)

    def handle(self, event: m.ViewReady | m.TraceFailed) -> ViewKey | None:
        """Keep an answer; returns what it answers, None if it was not asked here."""
        key = self._asked.pop(event.request, None)
        if key is None:
            return None
        if isinstance(event, m.ViewReady):
            self._keep(key, event.view)
        else:
            self._problems[key] = event.message
        if (waiting := self._waiting.pop(key.what, None)) is not None:
            self.want(waiting)
        return key

    def forget_questions(self) -> None:
        """Nothing that was asked will be answered: the engine is another."""
        self._asked.clear()
        self._waiting.clear()
        self.forget_problems()

    def forget_problems(self) -> None:
        """What failed may be tried again."""
        self._problems.clear()

    def _is_known(self, key: ViewKey) -> bool:
        return key in self._kept or key in self._problems or key in self._asked.values()

    def _ask(self, key: ViewKey) -> bool:
        under_way = Counter(asked.what for asked in self._asked.values())
        if under_way[key.what] >= _AT_ONCE.get(key.what, _CHEAP_AT_ONCE):
            return False
        request = self.new_request()
        self._asked[request] = key
        self._send(m.GetView(request=request, trace=key.trace, what=key.what, step=key.step, image=key.image,
                             position=key.position, whole_run=key.whole_run, every=key.every))  # fmt: skip
        return True

    def _keep(self, key: ViewKey, view: v.AnyView) -> None:
        self._kept[key] = view
        self._bytes += _size(view)
        while self._bytes > BUDGET and len(self._kept) > 1:
            _, oldest = self._kept.popitem(last=False)
            self._bytes -= _size(oldest)


def _size(view: v.AnyView) -> int:
    return _SMALL + sum(len(picture.rgb) for picture in _pictures(view))


def _pictures(view: v.AnyView) -> list[v.Picture]:
    match view:
        case v.StepView():
            return [view.latents, view.noise, view.denoised]
        case v.LatentsView():
            return [channel.picture for channel in view.channels]
        case v.GuidanceView():
            return [view.pull] if view.pull else []
        case v.AttentionView():
            return [view.heat]
        case v.SheetView():
            return [view.picture]
    return []
