"""A workflow of ComfyUI, which is the graph as its editor draws it, made into the graph that is run.

What only the editor knows is gone then: rerouted links are straight, values that stand in a primitive node are in the
node that takes them, what is bypassed is passed through, what is muted is not there, and subgraphs and group nodes are
the nodes that they are made of, each with the id of what holds it before its own ("57:3").

A workflow comes from a file, so it may hold anything: circles, subgraphs of themselves. All walks share `MOST_WORK`.

Sources: the specification of workflow JSON (versions 0.4 and 1.0) and `graphToPrompt` of ComfyUI's frontend.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from sdcore.spec.foreign.comfy_graph import MOST_LINKS, MOST_NODES, Graph, Node
from sdcore.spec.foreign.comfy_widgets import named

MOST_WORK: Final = 100_000
"""Nodes looked at and links followed."""
_LONGEST: Final = 500
"""Links from one node that is run to the next."""
_DEEPEST: Final = 8
"""Subgraphs in one another."""

_MUTED, _BYPASSED = 2, 4
_PRIMITIVE: Final = "PrimitiveNode"
_GET, _SET = "GetNode", "SetNode"
_REROUTES: Final = frozenset({"Reroute", "Reroute (rgthree)", _SET})
_NOT_RUN: Final = _REROUTES | {_PRIMITIVE, _GET, "Note", "MarkdownNote"}
_GROUPS: Final = ("workflow/", "workflow>")
"""What the kind of a group node begins with; its name follows."""
_GATE, _EXIT = "-10", "-20"
"""What links in a subgraph begin at and end at that come from outside and go there."""
_OWN: Final = "-1"

End = tuple[str, int]
"""An output: the id of a node and the place of the output."""


class _Drawn(msgspec.Struct, frozen=True):
    """A node as it is drawn. `inputs` are names and types, `widgets` the names of those that are widgets, too."""

    id: str
    kind: str
    mode: Any
    inputs: list[tuple[str, str]]
    outputs: list[str]
    widgets: list[str]
    said: Any
    promoted: list[tuple[str, str]]
    """The widgets of inner nodes that a subgraph shows as its own, by node and name."""


class _Sheet(msgspec.Struct, frozen=True):
    """Nodes and links of the workflow, of a subgraph or of a group. `into` has for an input of a node the output that
    it is linked to, `outputs` the same for what the whole gives away, and `inputs` the names of what it takes."""

    nodes: dict[str, _Drawn]
    into: dict[End, End]
    inputs: list[str]
    outputs: dict[int, End]
    group: bool = False


class _Level(msgspec.Struct, frozen=True):
    """A sheet where it is used: what feeds its inputs from the level around it, or which values they were given, and
    the values that are set from there in its nodes."""

    sheet: _Sheet
    before: str = ""
    depth: int = 0
    around: _Level | None = None
    feeds: dict[int, End] = {}
    given: dict[int, Any] = {}
    set_: dict[tuple[str, str], Any] = {}


class _Value(msgspec.Struct, frozen=True):
    """What an input has in the place of a link."""

    value: Any


def graph_of_workflow(said: Any) -> Graph | None:
    """The graph in a `workflow` of ComfyUI; None where it is none."""
    if not isinstance(said, dict) or not isinstance(said.get("nodes"), list):
        return None
    nodes = _Reading(said).nodes()
    return Graph(nodes) if nodes else None


class _Reading:
    """One workflow on its way to a graph."""

    def __init__(self, said: dict[str, Any]) -> None:
        self._left = MOST_WORK
        self._levels: dict[str, _Level | None] = {}
        self._top = _Level(_sheet(said))
        definitions, extra = said.get("definitions"), said.get("extra")
        subgraphs = definitions.get("subgraphs") if isinstance(definitions, dict) else None
        groups = extra.get("groupNodes") if isinstance(extra, dict) else None
        self._sheets = {_word(one.get("id")): _sheet(one) for one in _dicts(subgraphs)}
        if isinstance(groups, dict):
            self._sheets |= {f"{mark}{name}": sheet for name, one in groups.items() if isinstance(one, dict)
                             for sheet in [_group_sheet(one)] for mark in _GROUPS}  # fmt: skip

    def nodes(self) -> dict[str, Node]:
        """All nodes that are run, by id."""
        found: dict[str, Node] = {}
        self._gather(self._top, found)
        return found

    def _gather(self, level: _Level, found: dict[str, Node]) -> None:
        for drawn in level.sheet.nodes.values():
            self._left -= 1
            if self._left < 0 or len(found) >= MOST_NODES:
                return
            if drawn.mode in (_MUTED, _BYPASSED) or drawn.kind in _NOT_RUN:
                continue
            inner = self._inside(level, drawn)
            if inner is not None:
                self._gather(inner, found)
            else:
                node = self._node(level, drawn)
                found[node.id] = node

    def _node(self, level: _Level, drawn: _Drawn) -> Node:
        values = _values(level, drawn)
        links: dict[str, End] = {}
        for place, (name, _) in enumerate(drawn.inputs):
            fed = self._traced(level, level.sheet.into.get((drawn.id, place)))
            if isinstance(fed, _Value):
                values[name] = fed.value
            elif fed is not None:
                values.pop(name, None)
                links[name] = fed
        return Node(level.before + drawn.id, drawn.kind, values, links)

    def _traced(self, level: _Level, end: End | None) -> End | _Value | None:
        """The output of a node that is run, or the value, that comes to where a link ends."""
        for _ in range(_LONGEST):
            self._left -= 1
            if end is None or self._left < 0:
                return None
            origin, place = end
            if level.around is not None and origin == _GATE:
                if place not in level.feeds:
                    return _Value(level.given[place]) if place in level.given else None
                level, end = level.around, level.feeds[place]
                continue
            drawn = level.sheet.nodes.get(origin)
            if drawn is None or drawn.mode == _MUTED:
                return None
            if drawn.kind == _PRIMITIVE:
                return None if (held := _first(drawn.said)) is None else _Value(held)
            if drawn.mode == _BYPASSED:
                end = level.sheet.into.get((origin, _passed(drawn, place)))
            elif drawn.kind in _REROUTES:
                end = level.sheet.into.get((origin, 0))
            elif drawn.kind == _GET:
                level, end = self._stored(level, drawn)
            elif (inner := self._inside(level, drawn)) is not None:
                level, end = inner, inner.sheet.outputs.get(place)
            else:
                return level.before + origin, place
        return None

    def _stored(self, level: _Level, drawn: _Drawn) -> tuple[_Level, End | None]:
        """What was put under the name that a node gets, on its own level or on one around it."""
        wanted = _first(drawn.said)
        here: _Level | None = level
        while here is not None:
            self._left -= len(here.sheet.nodes)
            for one in here.sheet.nodes.values():
                if one.kind == _SET and one.mode != _MUTED and _first(one.said) == wanted:
                    return here, here.sheet.into.get((one.id, 0))
            here = here.around
        return level, None

    def _inside(self, level: _Level, drawn: _Drawn) -> _Level | None:
        """The level that a node stands for, None where it stands for itself."""
        sheet = self._sheets.get(drawn.kind)
        if sheet is None or level.depth >= _DEEPEST:
            return None
        key = level.before + drawn.id
        if key not in self._levels:
            self._left -= len(sheet.inputs)
            self._levels[key] = (_in_group if sheet.group else _in_subgraph)(sheet, level, drawn)
        return self._levels[key]


def _in_subgraph(sheet: _Sheet, level: _Level, drawn: _Drawn) -> _Level:
    """A subgraph shows widgets of its nodes, or of its inputs, and has their values in this order."""
    promoted = drawn.promoted
    row = drawn.said if isinstance(drawn.said, list) else []
    inner = {pair: value for pair, value in zip(promoted, row, strict=False) if value is not None}
    own = {name: value for (node, name), value in inner.items() if node == _OWN}
    if not promoted:
        own = named(drawn.kind, drawn.widgets, drawn.said)
    own |= {name: value for (node, name), value in level.set_.items() if node == drawn.id}
    feeds = _feeds(sheet, level, drawn)
    return _Level(
        sheet, f"{level.before}{drawn.id}:", level.depth + 1, level, feeds,
        given={place: own[name] for place, name in enumerate(sheet.inputs) if own.get(name) is not None},
        set_={pair: value for pair, value in inner.items() if pair[0] != _OWN},
    )  # fmt: skip


def _in_group(sheet: _Sheet, level: _Level, drawn: _Drawn) -> _Level | None:
    """A group has the values of all its nodes in a row; None where theirs are not as many."""
    row = drawn.said if isinstance(drawn.said, list) else []
    values: dict[tuple[str, str], Any] = {}
    at = 0
    for one in sheet.nodes.values():
        count = len(one.said) if isinstance(one.said, list) else 0
        held = named(one.kind, one.widgets, row[at : at + count])
        values |= {(one.id, name): value for name, value in held.items()}
        at += count
    if at != len(row):
        return None
    feeds = _feeds(sheet, level, drawn)
    return _Level(sheet, f"{level.before}{drawn.id}:", level.depth + 1, level, feeds, set_=values)


def _feeds(sheet: _Sheet, level: _Level, drawn: _Drawn) -> dict[int, End]:
    """What the inputs of a sheet are linked to outside. A group has the name of the node before that of an input where
    two of its nodes have one of that name."""
    places: dict[str, list[int]] = {}
    for place, (name, _) in enumerate(drawn.inputs):
        places.setdefault(name, []).append(place)
        if sheet.group and " " in name:
            places.setdefault(name.rpartition(" ")[2], []).append(place)
    found: dict[int, End] = {}
    for slot, name in enumerate(sheet.inputs):
        end = level.sheet.into.get((drawn.id, places[name].pop(0))) if places.get(name) else None
        if end is not None:
            found[slot] = end
    return found


def _values(level: _Level, drawn: _Drawn) -> dict[str, Any]:
    values = named(drawn.kind, drawn.widgets, drawn.said)
    for name in [*values, *(name for name, _ in drawn.inputs)]:
        if (drawn.id, name) in level.set_:
            values[name] = level.set_[drawn.id, name]
    return values


def _passed(drawn: _Drawn, place: int) -> int:
    """The input that a bypassed node gives away in the place of an output: the first of its type, the one beside it
    before others; -1 where there is none."""
    wanted = drawn.outputs[place] if 0 <= place < len(drawn.outputs) else ""
    kinds = [kind for _, kind in drawn.inputs]
    order = [place, *range(len(kinds))]
    return next((one for one in order if 0 <= one < len(kinds) and kinds[one] == wanted), -1)


def _sheet(said: Mapping[str, Any]) -> _Sheet:
    """The workflow itself or a subgraph. A link is a list, in newer files an object."""
    ends: dict[str, End] = {}
    outputs: dict[int, End] = {}
    for link, origin, target in _links(said.get("links")):
        ends[link] = origin
        if target[0] == _EXIT:
            outputs[target[1]] = origin
    nodes: dict[str, _Drawn] = {}
    into: dict[End, End] = {}
    for one in _dicts(said.get("nodes"))[:MOST_NODES]:
        drawn = _drawn(one, _word(one.get("id")))
        nodes[drawn.id] = drawn
        for place, slot in enumerate(_dicts(one.get("inputs"))[:MOST_LINKS]):
            if (link := _word(slot.get("link"))) in ends:
                into[drawn.id, place] = ends[link]
    names = [_word(one.get("name")) for one in _dicts(said.get("inputs"))[:MOST_LINKS]]
    return _Sheet(nodes, into, names, outputs)


def _links(said: Any) -> Iterator[tuple[str, End, End]]:
    keys = ("id", "origin_id", "origin_slot", "target_id", "target_slot")
    for link in (*_lists(said), *([one.get(key) for key in keys] for one in _dicts(said))):
        if len(link) >= len(keys):
            yield _word(link[0]), (_word(link[1]), _place(link[2])), (_word(link[3]), _place(link[4]))


def _group_sheet(said: Mapping[str, Any]) -> _Sheet:
    """A group node of an older editor. Its nodes are counted, its links go from and to those numbers; what is linked to
    nothing within is an input or an output of the group."""
    drawn = [_drawn(one, str(place)) for place, one in enumerate(_dicts(said.get("nodes"))[:MOST_NODES])]
    into = {
        target: origin for _, origin, target in _links([["", *link] for link in _lists(said.get("links"))])
    }
    given_away = {(_word(one[0]), _place(one[1])) for one in _lists(said.get("external")) if len(one) > 1}
    within = set(into.values()) - given_away
    names: list[str] = []
    for one in drawn:
        for place, (name, _) in enumerate(one.inputs):
            if (one.id, place) not in into:
                into[one.id, place] = (_GATE, len(names))
                names.append(name)
    ends = [(one.id, place) for one in drawn for place in range(len(one.outputs))]
    outputs = dict(enumerate(end for end in ends if end not in within))
    return _Sheet({one.id: one for one in drawn}, into, names, outputs, group=True)


def _drawn(said: Mapping[str, Any], name: str) -> _Drawn:
    inputs = _dicts(said.get("inputs"))[:MOST_LINKS]
    outputs = _dicts(said.get("outputs"))[:MOST_LINKS]
    widgets = [one["widget"].get("name") for one in inputs if isinstance(one.get("widget"), dict)]
    properties = said.get("properties")
    promoted = _lists(properties.get("proxyWidgets"))[:MOST_LINKS] if isinstance(properties, dict) else []
    return _Drawn(
        id=name,
        kind=_word(said.get("type")),
        mode=said.get("mode"),
        inputs=[(_word(one.get("name")), _word(one.get("type"))) for one in inputs],
        outputs=[_word(one.get("type")) for one in outputs],
        widgets=[_word(one) for one in widgets],
        said=said.get("widgets_values"),
        promoted=[(_word(one[0]), _word(one[1])) for one in promoted if len(one) > 1],
    )


def _word(said: Any) -> str:
    """A name or a number as one; "" for what is neither."""
    return said if isinstance(said, str) else str(said) if isinstance(said, int) else ""


def _place(said: Any) -> int:
    return said if isinstance(said, int) else -1


def _first(said: Any) -> Any:
    return said[0] if isinstance(said, list) and said else None


def _dicts(said: Any) -> list[dict[str, Any]]:
    """What of a list are objects."""
    return [one for one in said if isinstance(one, dict)] if isinstance(said, list) else []


def _lists(said: Any) -> list[list[Any]]:
    """What of a list are lists."""
    return [one for one in said if isinstance(one, list)] if isinstance(said, list) else []
