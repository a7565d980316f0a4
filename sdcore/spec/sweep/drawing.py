"""From a template to a prompt: one drawn by a seed, or all that there are."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import combinations, islice
from typing import Final

import msgspec

from sdcore.spec.recipe import MAX_PROMPT, Recipe
from sdcore.spec.sweep.template import Assign, Node, Option, Options, Text, Use, Wild, option, parse
from sdcore.spec.sweep.typed import Template

MAX_NODES: Final = 20_000
MAX_NESTING: Final = 32
"""Choices within choices, those of wildcard files among them."""

Words = Callable[[str], Sequence[str]]
"""The lines of the wildcard files that a name means; none where there is no such file."""
_Names = dict[str, "str | tuple[Node, ...]"]
_Pick = Callable[[Options], Iterable[tuple[Option, ...]]]
_FIELDS: Final = ("prompt", "negative_prompt")


class DrawingError(ValueError):
    """A template cannot be drawn from; the message is one sentence that says what to do."""


class Drawn(msgspec.Struct, frozen=True, kw_only=True):
    """A recipe whose prompts hold no choices any more, the `template` that they were drawn from, what the choices
    fell on, and the wildcards for which there is no file. A recipe without choices is as it was, without a template."""

    recipe: Recipe
    template: Template | None = None
    choices: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()


def no_words(name: str) -> Sequence[str]:
    """Where there are no wildcard files."""
    return ()


def draw(recipe: Recipe, words: Words = no_words) -> Drawn:
    """Draw both prompts of a recipe: the same from the same seed and the same files. Raises `DrawingError`."""
    names: _Names = {}
    texts: dict[str, str] = {}
    choices: list[str] = []
    unknown: list[str] = []
    for field in _FIELDS:
        # a generator a prompt: words added to one do not change the other
        walk = _Walk(words, _at_random(random.Random(f"{field} {recipe.seed}")), most=1)
        texts[field], names = walk.states(parse(getattr(recipe, field)), names)[0]
        choices += walk.choices
        unknown += walk.unknown
    drawn = msgspec.structs.replace(recipe, **texts)
    template = Template(prompt=recipe.prompt, negative_prompt=recipe.negative_prompt)
    return Drawn(
        recipe=drawn, template=template if drawn != recipe else None, choices=tuple(choices),
        unknown=tuple(dict.fromkeys(unknown)),
    )  # fmt: skip


def every(template: str, words: Words = no_words, *, most: int) -> list[str]:
    """All prompts that a template means, each once. Raises `DrawingError` where there are more than `most`."""
    walk = _Walk(words, _all, most=most)
    return list(dict.fromkeys(text for text, _ in walk.states(parse(template), {})))


class _Walk:
    """Goes through a template. `pick` says which of the options are followed: one lot, or every lot there is."""

    def __init__(self, words: Words, pick: _Pick, most: int) -> None:
        self._words = words
        self._pick = pick
        self._most = most
        self._left = MAX_NODES
        self.choices: list[str] = []
        self.unknown: list[str] = []

    def states(self, nodes: Iterable[Node], names: _Names, depth: int = 0) -> list[tuple[str, _Names]]:
        """The texts that the nodes mean, each with what the names stand for behind it."""
        if depth > MAX_NESTING:
            raise DrawingError(
                "The choices are nested too deeply; a wildcard file, or a name, seems to name itself."
            )
        states = [("", names)]
        for node in nodes:
            self._left -= 1
            if self._left < 0:
                raise DrawingError(
                    f"There are more than {MAX_NODES:,} choices to make; make the prompt simpler."
                )
            states = self._bounded(
                (text + more, after)
                for text, before in states
                for more, after in self._node(node, before, depth)
            )
        return states

    def _bounded(self, found: Iterator[tuple[str, _Names]]) -> list[tuple[str, _Names]]:
        states: list[tuple[str, _Names]] = []
        for text, names in islice(found, self._most + 1):
            if len(text) > MAX_PROMPT:
                raise DrawingError(f"What is drawn has more than {MAX_PROMPT:,} characters; shorten it.")
            states.append((text, names))
        if len(states) > self._most:
            raise DrawingError(
                f"The prompt has more than {self._most:,} combinations; leave some choices out."
            )
        return states

    def _node(self, node: Node, names: _Names, depth: int) -> list[tuple[str, _Names]]:
        match node:
            case Text():
                return [(node.text, names)]
            case Options():
                return self._options(self._spread(node), names, depth)
            case Wild():
                lines = self._words(node.name)
                if not lines:
                    self.unknown.append(node.name)
                    return [(f"__{node.name}__", names)]
                return self._options(Options(tuple(map(option, lines))), names, depth)
            case Use():
                value = names.get(node.name, f"${{{node.name}}}")
                return [(value, names)] if isinstance(value, str) else self.states(value, names, depth + 1)
            case Assign(once=True):
                states = self.states(node.nodes, names, depth + 1)
                return [("", {**after, node.name: text}) for text, after in states]
        return [("", {**names, node.name: node.nodes})]

    def _options(self, node: Options, names: _Names, depth: int) -> list[tuple[str, _Names]]:
        found = self._bounded(
            state
            for lot in self._pick(node)
            for state in self.states(_joined(lot, node.joiner), names, depth + 1)
        )
        if depth == 0:
            self.choices += [text for text, _ in found]
        return found

    def _spread(self, node: Options) -> Options:
        """`{2$$__animals__}` means two lines of the file."""
        nodes = node.options[0].nodes if len(node.options) == 1 else ()
        if len(nodes) != 1 or not isinstance(nodes[0], Wild):
            return node
        lines = tuple(map(option, self._words(nodes[0].name)))
        return msgspec.structs.replace(node, options=lines) if lines else node


def _joined(lot: tuple[Option, ...], joiner: str) -> Iterator[Node]:
    for place, one in enumerate(lot):
        if place:
            yield Text(joiner)
        yield from one.nodes


def _all(node: Options) -> Iterator[tuple[Option, ...]]:
    for count in range(min(node.least, len(node.options)), min(node.most, len(node.options)) + 1):
        yield from combinations(node.options, count)


def _at_random(source: random.Random) -> _Pick:
    # random() alone: of a seeded generator only its sequence is promised to stay from one Python to the next
    def pick(node: Options) -> Iterator[tuple[Option, ...]]:
        left = list(node.options)
        count = node.least + int(source.random() * (node.most - node.least + 1))
        lot = []
        for _ in range(min(count, len(left))):
            lot.append(left.pop(_weighed([one.weight for one in left], source.random())))
        yield tuple(lot)

    return pick


def _weighed(weights: Sequence[float], share: float) -> int:
    """Which of the weights lies at `share` (0..1) of their sum; where all are 0 they count the same."""
    total = sum(weights)
    if total <= 0:
        return int(share * len(weights))
    at = share * total
    for place, weight in enumerate(weights):
        at -= weight
        if at < 0:
            return place
    return max(place for place, weight in enumerate(weights) if weight > 0)
