"""The app: it holds the line to the engine and shows the studio. It never imports torch."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import RenderableType
from rich.text import Text
from textual import events
from textual.await_complete import AwaitComplete
from textual.dom import DOMNode
from textual.filter import LineFilter
from textual.screen import Screen
from textual.worker import active_worker

from sdcore.engine import messages as m
from tui import drafts
from tui.actions import BY_NAME, Group, Scope, bindings
from tui.at_terminal import AtTerminal, Terminal
from tui.crash import report
from tui.furnishing import Furnished
from tui.keeping import Keeping, StartKeeper, start_keeper
from tui.line.ending import SIGNALLED, Ending
from tui.line.holding import EngineLine
from tui.line.link import Listener, OpenEngine
from tui.line.stock import FarStock, LocalStock, Stock
from tui.once_begun import once_begun
from tui.places import Ways
from tui.preferences import Preferences
from tui.screens.studio.screen import Studio
from tui.term.border import TextBorder
from tui.term.clipboard import copy
from tui.term.composing import SparingCompositor
from tui.term.graphics.ways import Pictures
from tui.term.pacing import Purse
from tui.term.sparing import ScreenCopy

_PROGRESS_FPS = 1.0
"""Updates of the progress a second where no previews are wanted."""
_LOW_FPS = 2.0
"""Previews a second on a line where bytes are dear."""
_CPU_SHARE = 0.3
"""Of the frames a second that are drawn beside a GPU, how many are drawn where the CPU samples."""


class SdtuiApp(Furnished, inherit_bindings=False):
    """Stable Diffusion in the terminal. `open_engine` makes a fresh line to an engine each time it is called."""

    CSS_PATH = "sdtui.tcss"
    TITLE = "sdtui"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS = bindings("app")

    def __init__(
        self,
        open_engine: OpenEngine,
        *,
        draft: drafts.Draft,
        outputs: Path,
        start_keeper: StartKeeper | None = None,
        terminal: Terminal | None = None,
        low_bandwidth: bool = False,
        host: str = "",
    ) -> None:
        super().__init__()
        self.stock: Stock = LocalStock()
        self.host = host
        self._outputs = outputs
        self._border = TextBorder()
        self.purse = Purse()
        self.screen_copy = ScreenCopy(self.purse.spend)
        self._low_bandwidth = low_bandwidth
        self.draft = draft
        self.studio = Studio(draft, outputs)
        self.ways = Ways(self)
        self.line = EngineLine(self, open_engine)
        if host:
            self.stock = stock = FarStock(self.send)
            self.listen(stock)
        self.preferences = Preferences(self)
        self.keeping = Keeping(self, None if host else start_keeper)
        self.ending = Ending(self)
        self.at_terminal = AtTerminal(self, terminal)

    def on_mount(self) -> None:
        """Show the studio, which opens the engine, and listen for signals."""
        self.push_screen(self.studio)
        self.preferences.begin()
        self.keeping.begin()
        self.at_terminal.begin()
        self.ending.begin()

    # The engine

    def open_engine(self) -> None:
        """Open a line to the engine, in place of the one there was; warm the model and plan the schedule."""
        self.line.open()
        self.studio.view.starting()
        self.send(m.LoadModel(model=self.studio.model_named))
        self.ask_for_previews()
        self.studio.planning.ask()

    def ask_for_previews(self) -> None:
        """Ask for previews in the size of the canvas; fewer where drawing and sampling share the processor."""
        if self.studio.gallery.canvas is not None:
            width, height = self.studio.gallery.canvas.preview_box()
            share = _CPU_SHARE if self.studio.view.device.startswith("cpu") else 1.0
            wanted = self.preferences.settings.preview_fps
            fps = min(wanted, _LOW_FPS) if self.low_bandwidth else share * wanted
            if self.wants_previews:
                self.send(m.SetPreview(width=width, height=height, max_fps=fps))
            else:
                self.send(m.SetPreview(width=0, height=0, max_fps=_PROGRESS_FPS))

    @property
    def wants_previews(self) -> bool:
        """Whether the image is to be seen while it emerges."""
        return self.preferences.settings.preview_fps > 0

    @property
    def low_bandwidth(self) -> bool:
        """Whether every kilobyte is felt: asked for on the command line, or set."""
        return self._low_bandwidth or self.preferences.settings.low_bandwidth

    def send(self, command: m.AnyCommand) -> None:
        """Send a command to the engine; without one it goes nowhere, which the screen has said by then."""
        self.line.send(command)

    def listen(self, listener: Listener) -> None:
        """Let `listener` have every event from now on."""
        self.line.listen(listener)

    async def on_unmount(self) -> None:
        """However the app ends, the engine is told."""
        self.ending.stop()
        await self.line.hang_up()
        await self.keeping.end()

    # Keys

    async def action_do(self, name: str) -> None:
        """Do the action called `name`, as its key would."""
        action = BY_NAME[name]
        namespaces: dict[Scope, DOMNode] = {
            "app": self,
            "studio": self.studio,
            self._screen_scope(): self.screen,
        }
        namespace = namespaces.get(action.scope, self.focused or self.screen)
        await self.run_action(action.handler, namespace)

    def _screen_scope(self) -> Scope:
        return getattr(self.screen, "SCOPE", "studio")

    def action_go(self, place: str) -> None:
        """Go to a place, as `Ways.go` has it."""
        self.ways.go(place)

    def action_theme(self) -> None:
        """Choose the colours."""
        if not self.screen.is_modal:
            self.run_worker(once_begun(self.preferences.choose_theme), group="choose", exclusive=True)

    def action_help(self) -> None:
        """Help on everything, the part in focus first; the same key closes it."""
        from tui.screens.help import HelpScreen

        if isinstance(self.screen, HelpScreen):
            self.screen.dismiss(None)
        else:
            nodes = self.focused.ancestors_with_self if self.focused else [self.screen]
            abouts = (getattr(node, "about", "") or getattr(node, "HELP", "") for node in nodes)
            first: Group | None = getattr(self.screen, "GROUP", None)
            self.push_screen(HelpScreen("\n\n".join(dict.fromkeys(filter(None, abouts))), first))

    def action_commands(self) -> None:
        """The command palette."""
        if not self.screen.is_modal:
            self.run_worker(once_begun(self._choose_command), group="choose", exclusive=True)

    async def _choose_command(self) -> None:
        from tui.screens.lists.choices import command_choices
        from tui.screens.lists.chooser import Chooser

        choices = command_choices(self._screen_scope())
        name = await self.push_screen_wait(Chooser("commands", choices))
        if name is not None:
            await self.action_do(name)

    def action_leave(self) -> None:
        """Quit; ask first if images are still to be made."""
        if not self.screen.is_modal:
            self.run_worker(once_begun(self._leave), group="choose", exclusive=True)
        else:
            self.exit()

    async def _leave(self) -> None:
        from tui.line.quitting import may_leave

        if await may_leave(self):
            self.exit()

    def action_force(self) -> None:
        """End an engine whose step hangs, and go on with another; ask first."""
        if not self.screen.is_modal:
            self.run_worker(once_begun(self._force), group="choose", exclusive=True)

    async def _force(self) -> None:
        from tui.line.quitting import may_force

        if await may_force(self):
            self.line.force()

    # The terminal

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Textual's filters, and ours behind them: no control character gets past it."""
        return [*super().get_line_filters(), self._border]

    def _handle_exception(self, error: Exception) -> None:
        """A fault of our own ends the app. One that comes while it is left already, as of what was still being opened,
        is for the log alone."""
        if self._exit:
            report(error)
        else:
            super()._handle_exception(error)

    def _fatal_error(self) -> None:
        """Leave after a fault of our own. Textual's report shows the values of variables, tokens among them."""
        error = sys.exc_info()[1]
        self.bell()
        if error is not None:
            self._exit_renderables.append(Text(report(error)))
        self._close_messages_no_wait()

    @property
    def pictures(self) -> Pictures:
        """How pictures are drawn."""
        return self.at_terminal.pictures

    def action_redraw(self) -> None:
        """Draw all that is on the screen, whatever the terminal shows."""
        self.screen_copy.forget()
        self.screen.refresh()

    def action_pictures(self) -> None:
        """Draw pictures in another way."""
        self.at_terminal.next_way()

    def copy_to_clipboard(self, text: str) -> None:
        """Copy, through the terminal too."""
        copy(self, text)

    def _display(self, screen: Screen[Any], renderable: RenderableType | None) -> None:
        super()._display(screen, self.screen_copy.sparing(renderable))
        self.at_terminal.drawn(renderable)

    def on_cursor_position(self, event: events.CursorPosition) -> None:
        """The terminal has drawn the last frame, of the preview or of another screen."""
        for screen in self.screen_stack:
            if (answered := getattr(screen, "terminal_answered", None)) is not None:
                answered()
        if self.studio.gallery.canvas is not None:
            self.studio.gallery.canvas.terminal_answered()

    def refresh_css(self, animate: bool = True) -> None:
        """Apply the style sheets anew. Before there is a screen they are read for the first time yet, and once will do:
        Textual would read them here, throw that away, and read them again for the first widget."""
        if self.screen_stack:
            super().refresh_css(animate)
        else:
            self.stylesheet.set_variables(self.get_css_variables())
            self.stylesheet.update(self)

    def push_screen(self, screen: Any, *arguments: Any, **options: Any) -> Any:
        """Show a screen, of which only what changes is drawn."""
        if isinstance(screen, Screen) and not screen.is_mounted:
            screen._compositor = SparingCompositor()
        return super().push_screen(screen, *arguments, **options)

    def pop_screen(self) -> AwaitComplete:
        """Leave a screen, and what its workers were about: its parts go one by one, and a worker would miss them."""
        leaving, present = self.screen, active_worker.get(None)
        for worker in tuple(self.workers):
            if worker is not present and leaving in worker.node.ancestors_with_self:
                worker.cancel()
        return super().pop_screen()

    def exit(self, result: None = None, return_code: int = 0, message: RenderableType | None = None) -> None:
        """End the app; the panes are kept for the next run. Ended from without, it leaves the engine as it is: that
        keeps its model warm for who comes back."""
        if self.studio.is_mounted:
            self.draft = self.studio.drafting.read()
        if return_code > SIGNALLED:
            self.line.farewell = None
            self.ending.soon(return_code)
            with contextlib.suppress(OSError):
                drafts.save(self.draft)
        super().exit(result, return_code, message)


def run(
    open_engine: OpenEngine,
    *,
    model: str | None = None,
    mouse: bool | None = None,
    terminal: Terminal | None = None,
    low_bandwidth: bool = False,
    host: str = "",
) -> int:
    """Run the app until it is left; returns the exit status. `model`, `mouse` and `low_bandwidth` win over the
    settings; with a `host` the engine is on that machine."""
    from sdcore.library import config

    settings, _ = config.load()
    draft = drafts.load()
    if model is not None:
        draft = drafts.with_model(draft, model)
    app = SdtuiApp(
        open_engine,
        draft=draft,
        outputs=settings.outputs_dir(),
        start_keeper=start_keeper,
        terminal=terminal,
        low_bandwidth=low_bandwidth,
        host=host,
    )
    app.run(mouse=settings.mouse if mouse is None else mouse)
    with contextlib.suppress(OSError):
        drafts.save(app.draft)
    return app.return_code or 0
