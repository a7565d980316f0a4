r"""The grammar of choices in a prompt, read in linear time. Nothing here raises: what does not parse is text.

    {red|blue}                     one of them
    {3::red|blue}                  red three times as often
    {2$$a|b|c}                     two of them, joined by ", "
    {1-2$$ and $$a|b|c}            one or two of them, joined by " and "
    __animals__  __animals/*__     a line of the file animals.txt; of any file in the folder animals
    ${x={a|b}}  ${x}               a name for a choice, drawn anew wherever the name stands; with ${x=!{a|b}} once
    \{ \} \|                       the mark itself

Choices nest, and a line of a wildcard file may hold them. What else is in braces stays as it is: `{a}`, `{}`, `$5`. A
bar in square brackets belongs to the prompt's own grammar, `[a|b]`, and parts no choice. Source of the notation: the
Dynamic Prompts extension of AUTOMATIC1111's web UI.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

MAX_DEPTH: Final = 24
"""Brackets that are open at once; a deeper one is text."""
JOINER: Final = ", "

_TOKEN: Final = re.compile(
    r"(?P<escape>\\[{}|])|\$\$|(?P<open>\$\{|[{\[])|(?P<close>[}\]])|(?P<bar>\|)"
    r"|__(?P<wild>(?:[^\W_]|[./*\- ]|_(?!_)){1,128})__"
)
_WEIGHT: Final = re.compile(r"\s*(\d{1,6}(?:\.\d{1,6})?|\.\d{1,6})::")
_COUNT: Final = re.compile(r"\s*(\d{0,4})(?:(-)(\d{0,4}))?\$\$")
_NAME: Final = re.compile(r"\s*(\w{1,64})\s*(?:(=)\s*(!?))?")


class Text(msgspec.Struct, frozen=True):
    """What is said as it is."""

    text: str


class Wild(msgspec.Struct, frozen=True):
    """A line of the wildcard files that `name` means."""

    name: str


class Option(msgspec.Struct, frozen=True):
    """One of several, and how often it is drawn beside the others."""

    nodes: tuple[Node, ...]
    weight: float = 1.0


class Options(msgspec.Struct, frozen=True):
    """From `least` to `most` of the options, joined by `joiner`."""

    options: tuple[Option, ...]
    least: int = 1
    most: int = 1
    joiner: str = JOINER


class Use(msgspec.Struct, frozen=True):
    """What the name stands for."""

    name: str


class Assign(msgspec.Struct, frozen=True):
    """Let a name stand for something, from here on; drawn `once` here, or anew wherever it is used."""

    name: str
    nodes: tuple[Node, ...]
    once: bool


Node = Text | Wild | Options | Use | Assign


class _Frame:
    """An open bracket: the mark that opened it, and what came behind it, parted by bars."""

    __slots__ = ("mark", "parts")

    def __init__(self, mark: str) -> None:
        self.mark = mark
        self.parts: list[list[Node]] = [[]]

    def add(self, node: Node) -> None:
        nodes = self.parts[-1]
        if isinstance(node, Text) and nodes and isinstance(nodes[-1], Text):
            nodes[-1] = Text(nodes[-1].text + node.text)
        elif node != Text(""):
            nodes.append(node)

    def fold(self, inner: _Frame, end: str) -> None:
        """Take up a bracket that means nothing here. An unclosed one leaves its bars to this one."""
        self.add(Text(inner.mark))
        for place, part in enumerate(inner.parts):
            if place and end:
                self.add(Text("|"))
            elif place:
                self.parts.append([])
            for node in part:
                self.add(node)
        self.add(Text(end))


def parse(template: str) -> tuple[Node, ...]:
    """What a template says, in its order."""
    frames = [_Frame("")]
    at = 0
    for match in _TOKEN.finditer(template):
        frames[-1].add(Text(template[at : match.start()]))
        at = match.end()
        mark = match[0]
        if match["escape"]:
            frames[-1].add(Text(mark[1]))
        elif match["wild"]:
            frames[-1].add(Wild(match["wild"].strip()))
        elif match["open"] and len(frames) <= MAX_DEPTH:
            frames.append(_Frame(mark))
        elif match["bar"] and len(frames) > 1:
            frames[-1].parts.append([])
        elif match["close"]:
            _close(frames, mark)
        else:
            frames[-1].add(Text(mark))
    frames[-1].add(Text(template[at:]))
    while len(frames) > 1:
        inner = frames.pop()
        frames[-1].fold(inner, "")
    whole = _Frame("")
    for place, part in enumerate(frames[0].parts):
        whole.add(Text("|" * bool(place)))
        for node in part:
            whole.add(node)
    return tuple(whole.parts[0])


def _close(frames: list[_Frame], mark: str) -> None:
    wanted = "[" if mark == "]" else "{"
    openers = [place for place, frame in enumerate(frames) if frame.mark.endswith(wanted)]
    if not openers or (mark == "]" and openers[-1] != len(frames) - 1):
        frames[-1].add(Text(mark))
        return
    while len(frames) - 1 > openers[-1]:
        inner = frames.pop()
        frames[-1].fold(inner, "")
    closed = frames.pop()
    node = _MEANINGS[closed.mark](closed.parts)
    if node is None:
        frames[-1].fold(closed, mark)
    else:
        frames[-1].add(node)


def _nothing(parts: list[list[Node]]) -> Node | None:
    return None


def _options(parts: list[list[Node]]) -> Node | None:
    found = _COUNT.match(_first_text(parts[0]))
    if found is None or not (found[1] or found[2]):
        return Options(tuple(map(_option, parts))) if len(parts) > 1 else None
    first, joiner = _less(parts[0], found.end()), JOINER
    head = _first_text(first)
    if "$$" in head:
        joiner = head.partition("$$")[0]
        first = _less(first, len(joiner) + 2)
    options = tuple(map(_option, [first, *parts[1:]]))
    least = int(found[1] or 0)
    most = int(found[3] or len(options)) if found[2] else least
    return Options(options, min(least, most), max(least, most), joiner)


def _named(parts: list[list[Node]]) -> Node | None:
    found = _NAME.match(_first_text(parts[0]))
    if found is None or len(parts) > 1:
        return None
    rest = _less(parts[0], found.end())
    if found[2]:
        return Assign(found[1], tuple(rest), bool(found[3]))
    return None if rest else Use(found[1])


_MEANINGS: Final = {"{": _options, "${": _named, "[": _nothing}


def option(line: str) -> Option:
    """A line of a wildcard file: a template, perhaps with a weight before it."""
    return _option(list(parse(line)))


def _option(nodes: list[Node]) -> Option:
    found = _WEIGHT.match(_first_text(nodes))
    return Option(tuple(_less(nodes, found.end())), float(found[1])) if found else Option(tuple(nodes))


def _first_text(nodes: list[Node]) -> str:
    return nodes[0].text if nodes and isinstance(nodes[0], Text) else ""


def _less(nodes: list[Node], characters: int) -> list[Node]:
    """The nodes without the first characters of the text that they begin with."""
    rest = _first_text(nodes)[characters:]
    return [Text(rest), *nodes[1:]] if rest else nodes[1:]
