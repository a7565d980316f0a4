"""A prompt graph of ComfyUI: nodes that have a class and inputs, each of which is a value or a link to another node.

A graph comes from a file, so it may hold anything: links to nowhere, circles, a hundred thousand nodes. Every walk here
sees a node once and stops after `MOST_STEPS`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec

from sdcore.spec.values import MOST_SAID

MOST_NODES: Final = 5_000
MOST_STEPS: Final = 5_000
MOST_LINKS: Final = 200
"""Inputs of one node that are looked at."""
_DEEPEST: Final = 12
"""Nodes through which a value is followed to where it is written."""

VALUES: Final = ("value", "Value", "string", "String", "text", "Text", "int", "float", "number", "seed", "noise_seed",
                 "text_0", "prompt", "wildcard_text", "populated_text")  # fmt: skip
"""What nodes that hold one value call it."""
_PARTS: Final = ("string_a", "string_b", "text_a", "text_b", "text_c", "text_d", "text1", "text2", "text3",
                 "from", "to")  # fmt: skip
"""What nodes that join texts call them."""


class Node(msgspec.Struct, frozen=True):
    """A node: its id, its class, its values by the name of the input, and its links, each to an output of a node."""

    id: str
    kind: str
    values: dict[str, Any]
    links: dict[str, tuple[str, int]]


Follow = Callable[[Node, str], bool]
"""Whether a link, by its node and its name, is walked."""


class Graph:
    """The nodes by id."""

    def __init__(self, nodes: dict[str, Node]) -> None:
        self.nodes = nodes

    def linked(self, node: Node, name: str) -> Node | None:
        """The node that the input `name` is linked to."""
        link = node.links.get(name)
        return self.nodes.get(link[0]) if link else None

    def sinks(self) -> list[Node]:
        """The nodes that nothing is linked to, those that save an image before those that show one."""
        used = {target for node in self.nodes.values() for target, _ in node.links.values()}
        found = [node for node in self.nodes.values() if node.id not in used and node.links]
        return sorted(found, key=lambda node: ("Save" not in node.kind, "Preview" not in node.kind))

    def upstream(self, start: Node, follow: Follow) -> Iterator[Node]:
        """`start` and what feeds it by links that are followed, the nearest first."""
        waiting, seen = deque([start]), {start.id}
        for _ in range(MOST_STEPS):
            if not waiting:
                return
            node = waiting.popleft()
            yield node
            for name in node.links:
                other = self.linked(node, name) if follow(node, name) else None
                if other is not None and other.id not in seen:
                    seen.add(other.id)
                    waiting.append(other)

    def value(self, node: Node, name: str) -> Any:
        """The value of an input, followed through links to where it is written; None where there is none."""
        for _ in range(_DEEPEST):
            if name in node.values:
                return node.values[name]
            source = self.linked(node, name)
            if source is None:
                return None
            held = next((key for key in (name, *VALUES) if key in source.values or key in source.links), "")
            if any(part in source.values or part in source.links for part in _PARTS):
                return self._joined(source)
            node, name = source, held
        return None

    def _joined(self, node: Node) -> str:
        """The texts that a node joins, as far as they are written in it or in nodes beside it."""
        parts = []
        for name in _PARTS:
            source = self.linked(node, name)
            held = node.values.get(name)
            if source is not None:
                held = next((source.values[key] for key in VALUES if key in source.values), None)
            if isinstance(held, str) and held:
                parts.append(held)
        delimiter = node.values.get("delimiter")
        return (delimiter if isinstance(delimiter, str) else ", ").join(parts)[:MOST_SAID]


def graph_of(said: Any) -> Graph | None:
    """The graph in a `prompt` of ComfyUI; None where it is none."""
    if not isinstance(said, dict):
        return None
    nodes: dict[str, Node] = {}
    for key, about in list(said.items())[:MOST_NODES]:
        kind = about.get("class_type") if isinstance(about, dict) else None
        inputs = about.get("inputs") if isinstance(about, dict) else None
        if isinstance(kind, str) and isinstance(inputs, dict):
            taken = list(inputs.items())[:MOST_LINKS]
            links = {name: link for name, value in taken if (link := _link(value)) is not None}
            held = {name: value for name, value in taken if name not in links}
            nodes[key] = Node(key, kind, held, links)
    return Graph(nodes) if nodes else None


def _link(value: Any) -> tuple[str, int] | None:
    """A link is a list of a node's id and the number of its output."""
    if not isinstance(value, list) or len(value) != 2:
        return None
    target, output = value
    fits = isinstance(target, str | int) and isinstance(output, int) and not isinstance(output, bool)
    return (str(target), output) if fits else None
