"""The app: it holds the line to the engine and shows the studio. It never imports torch."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from pathlib import Path

from textual import events
from textual.app import App
from textual.dom import DOMNode

from sdcore.engine import messages as m
from sdcore.engine.wire import EngineError
from tui import drafts
from tui.actions import BY_NAME, Group, Scope, bindings
from tui.link import Engine, Listener, OpenEngine
from tui.places import Ways
from tui.screens.comparing import Comparing
from tui.screens.inspecting import Inspecting
from tui.screens.studio import Studio
from tui.theme import theme_for

_HANG_UP_SECONDS = 2.0
_CPU_SHARE = 0.5
"""Of the frames a second that are drawn beside a GPU, how many are drawn where the CPU samples."""


class SdtuiApp(App[None], inherit_bindings=False):
    """Stable Diffusion in the terminal. `open_engine` makes a fresh line to an engine each time it is called."""

    CSS_PATH = "sdtui.tcss"
    TITLE = "sdtui"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS = bindings("app")

    def __init__(
        self, open_engine: OpenEngine, *, draft: drafts.Draft, outputs: Path, preview_fps: float = 10.0
    ) -> None:
        super().__init__()
        self._open_engine = open_engine
        self._engine: Engine | None = None
        self._outputs = outputs
        self._leaving = m.Shutdown(when_idle=True)
        self.draft = draft
        self._preview_fps = preview_fps
        self.studio = Studio(draft, outputs)
        self.inspecting = Inspecting(self)
        self.comparing = Comparing(self)
        self.ways = Ways(self)
        self._listeners: list[Listener] = [self.studio.view, self.inspecting, self.comparing]
        theme = theme_for(self.console.color_system)
        self.register_theme(theme)
        self.theme = theme.name

    def on_mount(self) -> None:
        """Show the studio, which opens the engine, and listen for signals."""
        self.push_screen(self.studio)
        loop = asyncio.get_running_loop()
        for name in (signal.SIGTERM, signal.SIGHUP):
            with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
                # without a handler of ours the process dies with the terminal left in a mess
                loop.add_signal_handler(name, self.exit, None, 128 + name)

    # The engine

    def open_engine(self) -> None:
        """Open a line to the engine, in place of the one there was; warm the model and plan the schedule."""
        if self._engine is not None:
            self.run_worker(self._engine.close(), group="old engine", exit_on_error=False)
        self.inspecting.views.forget_questions()
        self._engine = engine = self._open_engine()
        self.studio.view.starting()
        # after a paint: starting a process takes longer than a frame
        self.call_after_refresh(lambda: self.run_worker(self._follow(engine), group="engine", exclusive=True))
        engine.send(m.LoadModel(model=self.studio.model_named))
        self.ask_for_previews()
        self.studio.plan()

    def ask_for_previews(self) -> None:
        """Ask for previews in the size of the canvas; fewer where drawing and sampling share the processor."""
        if self.studio.gallery.canvas is not None:
            width, height = self.studio.gallery.canvas.preview_box()
            share = _CPU_SHARE if self.studio.view.device.startswith("cpu") else 1.0
            self.send(m.SetPreview(width=width, height=height, max_fps=share * self._preview_fps))

    def send(self, command: m.AnyCommand) -> None:
        """Send a command to the engine; without one it goes nowhere, which the screen has said by then."""
        if self._engine is not None:
            self._engine.send(command)

    async def _follow(self, engine: Engine) -> None:
        reader = asyncio.create_task(self._show_events(engine))  # what comes while it starts is shown, too
        try:
            await engine.connect()
            await reader
        except (EngineError, OSError) as fault:
            self.studio.view.lost(f"{fault} Press Enter to try again.")
            for listener in self._listeners[1:]:
                listener.lost(f"{fault} Go back to the studio to try again.")
        finally:
            reader.cancel()

    async def _show_events(self, engine: Engine) -> None:
        async for event in engine.events():
            for listener in tuple(self._listeners):
                listener.handle(event)

    def listen(self, listener: Listener) -> None:
        """Let `listener` have every event from now on; the studio has it before all others."""
        self._listeners.append(listener)

    def ignore(self, listener: Listener) -> None:
        """Let it have no more."""
        self._listeners.remove(listener)

    async def _hang_up(self) -> None:
        """Let the engine end when it has nothing more to do, and close the line."""
        if self._engine is None:
            return
        self._engine.send(self._leaving)
        with contextlib.suppress(OSError, TimeoutError):
            await asyncio.wait_for(self._engine.close(), _HANG_UP_SECONDS)
        self._engine = None

    async def on_unmount(self) -> None:
        """However the app ends, the engine is told."""
        await self._hang_up()

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

    def action_help(self) -> None:
        """Help on everything, the part in focus first; the same key closes it."""
        from tui.screens.help import HelpScreen

        if isinstance(self.screen, HelpScreen):
            self.screen.dismiss(None)
        elif not self.screen.is_modal:
            abouts = (
                getattr(node, name, None)
                for node in (self.focused, self.screen)
                for name in ("about", "HELP")
            )
            first: Group | None = getattr(self.screen, "GROUP", None)
            self.push_screen(HelpScreen(next(filter(None, abouts), ""), first))

    def action_commands(self) -> None:
        """The command palette."""
        if not self.screen.is_modal:
            self.run_worker(self._choose_command(), group="choose", exclusive=True)

    async def _choose_command(self) -> None:
        from tui.screens.choices import command_choices
        from tui.screens.chooser import Chooser

        choices = command_choices(self._screen_scope())
        name = await self.push_screen_wait(Chooser("commands", choices))
        if name is not None:
            await self.action_do(name)

    def action_leave(self) -> None:
        """Quit; ask first if images are still to be made."""
        if not self.screen.is_modal:
            self.run_worker(self._leave(), group="choose", exclusive=True)
        else:
            self.exit()

    async def _leave(self) -> None:
        from tui.screens.chooser import Choice, Chooser

        book = self.studio.view.book
        if book.busy:
            count = len(book.waiting) + (book.running is not None)
            question = (
                "An image is still to be made." if count == 1 else f"{count} images are still to be made."
            )
            answer = await self.push_screen_wait(Chooser("quit", [
                Choice("leave", "Leave, and let the engine finish", "What it makes is saved as usual."),
                Choice("stop", "Stop and quit", "What is unfinished is lost."),
                Choice("stay", "Stay", "Nothing changes."),
            ], question=question))  # fmt: skip
            if answer not in ("leave", "stop"):
                return
            self._leaving = m.Shutdown(when_idle=answer == "leave")
        self.exit()

    # The terminal

    def on_cursor_position(self, event: events.CursorPosition) -> None:
        """The terminal has drawn the last frame, of the preview or of another screen."""
        for screen in self.screen_stack:
            if (answered := getattr(screen, "terminal_answered", None)) is not None:
                answered()
        if self.studio.gallery.canvas is not None:
            self.studio.gallery.canvas.terminal_answered()

    def exit(self, *args: object, **options: object) -> None:
        """End the app; the panes are kept for the next run."""
        if self.studio.is_mounted:
            self.draft = self.studio.drafting.read()
        super().exit(*args, **options)  # type: ignore[arg-type]


def run(*, model: str | None = None, device: str = "auto", mouse: bool | None = None) -> int:
    """Run the app until it is left; returns the exit status. `model` and `mouse` win over the settings."""
    from sdcore.engine.client import EngineClient
    from sdcore.library import config

    settings, _ = config.load()
    draft = drafts.load()
    if model is not None:
        draft = drafts.with_model(draft, model)
    app = SdtuiApp(lambda: EngineClient(device=device), draft=draft, outputs=settings.outputs_dir(),
                   preview_fps=settings.preview_fps)  # fmt: skip
    app.run(mouse=settings.mouse if mouse is None else mouse)
    with contextlib.suppress(OSError):
        drafts.save(app.draft)
    return app.return_code or 0
