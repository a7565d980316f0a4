"""An image among its neighbours: pick one, go on from there, walk back."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from textual.app import ComposeResult
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Static

from sdcore.spec.sanitise import sanitise
from sdcore.spec.views import Picture
from tui.actions import Group, Scope, bindings, footer
from tui.screens.studio.screen import Studio
from tui.screens.variations.tree import LEAST_STRENGTH, MOST_STRENGTH, Node, trail
from tui.widgets.head import HeadLine
from tui.widgets.picture_grid import Panel, PictureGrid
from tui.widgets.status import FooterLine, MessageLine, Tone

if TYPE_CHECKING:
    from tui.app import SdtuiApp
    from tui.screens.variations.varying import Varying

_EMPTY: Final = 32
"""How bright the place of an image is that is not there yet, 0..255."""
_FINE: Final = 0.1
"""Below this strength a step is a fine one."""
_COLUMNS: Final = 3


class Variations(Screen[None], inherit_bindings=False):
    """A node of the tree first, then its newest neighbours; one of them is under the cursor."""

    CSS_PATH = "variations.tcss"
    BINDINGS = bindings("variations")
    AUTO_FOCUS = ""
    HORIZONTAL_BREAKPOINTS = Studio.HORIZONTAL_BREAKPOINTS
    VERTICAL_BREAKPOINTS = Studio.VERTICAL_BREAKPOINTS
    SCOPE: Scope = "variations"
    GROUP: Group = "Variations"
    HELP = (
        "An image and eight neighbours: the same recipe, the first noise turned a little towards that of another "
        "seed. Enter goes on from the one under the cursor: its neighbours come next, and ⌫ walks back. Every one of "
        "them has the whole chain of turns in its recipe, so it can be made again exactly, however far one went. "
        "+ and - set how far the next neighbours are."
    )
    app: SdtuiApp

    def __init__(self, door: Varying, node: Node) -> None:
        super().__init__()
        self._door = door
        self._node = node
        self._cursor = 0
        self._alone = False

    def compose(self) -> ComposeResult:
        """The way that was gone, the pictures, what is to be said."""
        yield HeadLine("variations", id="head")
        yield Static(id="trail", markup=False)
        yield PictureGrid(id="neighbours")
        yield MessageLine(id="message")
        yield FooterLine(id="footer")

    def on_mount(self) -> None:
        """Show what there is."""
        self.query_one(FooterLine).show(footer("variations"))
        self.say(self._node.note, tone="quiet")
        self.show()

    # What is seen

    @property
    def node(self) -> Node:
        """The image whose neighbours are seen."""
        return self._node

    @property
    def shown(self) -> list[Node]:
        """It and its newest neighbours."""
        return [self._node, *self._node.newest]

    @property
    def at(self) -> Node:
        """The one under the cursor."""
        return self.shown[min(self._cursor, len(self.shown) - 1)]

    @property
    def trail(self) -> str:
        """The line above the pictures."""
        return str(self.query_one("#trail", Static).content)

    def say(self, *wordings: str, tone: Tone = "bright") -> None:
        """Say a sentence in the message line."""
        self.query_one(MessageLine).show(*wordings, tone=tone)

    def show(self) -> None:
        """Show every picture as it is now."""
        if not self.is_attached:
            return
        nodes = [self.at] if self._alone else self.shown
        panels = [self._panel(node) for node in nodes]
        self.query_one(PictureGrid).show(*panels)
        steps = [Content.styled(step, "$dim") for step in trail(self._node)]
        steps[-1] = Content.styled(steps[-1].plain, "$bright")
        at = self.at
        near = self._node.newest
        made = sum(node.path is not None for node in near)
        facts = [f"{made} of {len(near)} made"] if near else []
        facts.append(f"+ − next ±{self._door.strength:.2g}")
        if at is not self._node:
            facts.insert(0, f"variation seed {at.recipe.variation_seed}")
        line = Content(" ▸ ").join(steps)
        told = Content.styled(" · ".join(facts), "$dim")
        room = self.query_one("#trail").content_size.width - told.cell_length - line.cell_length
        self.query_one("#trail", Static).update(line + " " * max(3, room) + told)

    def _panel(self, node: Node) -> Panel:
        recipe = self._node.recipe
        width, height = recipe.final_size()
        scale = 8
        blank = Picture(
            width=max(1, width // scale),
            height=max(1, height // scale),
            rgb=bytes([_EMPTY]) * (3 * max(1, width // scale) * max(1, height // scale)),
        )
        return Panel(self._title(node), node.picture or blank, marked=node is self.at)

    def _title(self, node: Node) -> str:
        place = next((str(i) for i, one in enumerate(self._node.newest, 1) if one is node), "this image")
        mark = "▸ " if node is self.at else "  "
        doing = {
            "waiting": "waits",
            "running": f"{node.done}/{node.total}" if node.total else "begins",
            "made": "",
            "failed": "failed",
            "dropped": "not made",
        }[node.state]
        gone_on = " ↳" if node is not self._node and node.children else ""
        return sanitise(f"{mark}{place}{gone_on}{f'  {doing}' if doing else ''}", newlines=False)

    # Keys

    def action_move(self, right: int, down: int) -> None:
        """Move the cursor."""
        step = right + down * self._columns
        if 0 <= self._cursor + step < len(self.shown):
            self._cursor += step
        self.show()

    @property
    def _columns(self) -> int:
        return self.query_one(PictureGrid).columns or _COLUMNS

    def action_ends(self, last: bool) -> None:
        """The cursor to the first or the last."""
        self._cursor = len(self.shown) - 1 if last else 0
        self.show()

    def action_alone(self) -> None:
        """Show one alone, or all again."""
        self._alone = not self._alone
        self.show()

    def action_go_on(self) -> None:
        """Go on from the one under the cursor; on the image itself, other neighbours."""
        node = self.at
        if node is self._node:
            self.action_others()
        elif node.state != "made":
            self.say("This one is not made yet; Enter goes on from it when it is.")
        else:
            self._door.drop(self._node.newest)
            self._node, self._cursor, self._alone = node, 0, False
            self.say("")
            if not node.children:
                self._door.make(node)
            self.show()

    def action_others(self) -> None:
        """Other neighbours, at the present strength."""
        if self._node.state != "made":
            self.say("The image itself is not there yet.")
            return
        self._cursor, self._alone = 0, False
        self.say("")
        self._door.make(self._node)

    def action_back(self) -> None:
        """Back to what this one is a variation of."""
        came_from = self._node
        parent = self._door.back(came_from)
        if parent is None:
            self.say("This is where the tree begins; ⎋ leaves.")
            return
        self._node, self._alone = parent, False
        self._cursor = next((i for i, one in enumerate(self.shown) if one is came_from), 0)
        self.say("")
        self.show()

    def action_strength(self, steps: int) -> None:
        """How far the next neighbours are turned: steps of 0.05, of 0.02 below 0.1."""
        now = self._door.strength
        step = 0.02 if now < _FINE or (now <= _FINE and steps < 0) else 0.05
        wanted = round(math.fsum((now, steps * step)), 2)
        self._door.strength = min(MOST_STRENGTH, max(LEAST_STRENGTH, wanted))
        self.show()

    def action_use(self) -> None:
        """Bring its recipe to the studio."""
        if self.at.state == "made":
            self._door.use(self.at)
        else:
            self.say("This one is not made yet.")

    def action_close(self) -> None:
        """All of them again, or back; what is still to be made goes on."""
        if self._alone:
            self.action_alone()
        else:
            self.dismiss(None)

    async def on_footer_line_pressed(self, message: FooterLine.Pressed) -> None:
        """A key of the footer was clicked."""
        await self.app.action_do(message.name)

    def terminal_answered(self) -> None:
        """The terminal has drawn the last pictures."""
        self.query_one(PictureGrid).terminal_answered()
