"""The main job as a person does it, in a real terminal with the real engine and the bundled model."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from sdcore.library.metadata import read_image
from tests.terminal.terminal import Terminal

ENTER, ESCAPE, QUIT = "\r", "\x1b", "\x11"
PROMPT = "a red circle, blue sea"


def saved(home: Path) -> list[Path]:
    return sorted((home / "outputs").rglob("*.png"))


def clear_prompt(terminal: Terminal) -> None:
    """Delete the prompt that the app starts with, from its end backwards."""
    terminal.type("\x1b[1;5F")
    terminal.type("\x7f" * 120)
    terminal.wait_until(lambda: "japanese" not in terminal.text())


def test_type_a_prompt_watch_it_emerge_keep_the_png(private_home: Path) -> None:
    with Terminal(columns=120, rows=40) as terminal:
        terminal.wait_for("japanese")
        clear_prompt(terminal)
        terminal.type(PROMPT)
        terminal.wait_for(PROMPT)
        terminal.type(ENTER)
        terminal.wait_until(terminal.colours)
        first = terminal.colours()
        terminal.wait_until(lambda: terminal.colours() != first)
        terminal.wait_for(".png")
        (path,) = saved(private_home)
        assert path.name[:12] in terminal.text().replace("\n", "")
        terminal.type(QUIT)
        assert terminal.exit_status() == 0

    recipe = read_image(path).recipe()
    assert (recipe.prompt, recipe.sampler, recipe.steps) == (PROMPT, "LMS", 30)
    with Image.open(path) as image:
        assert image.size == (128, 128)
        assert len(image.convert("RGB").getcolors(1 << 14) or range(1 << 14)) > 100


def test_the_terminal_knows_its_size_better_than_what_a_shell_exported(private_home: Path) -> None:
    with Terminal(columns=120, rows=40, environment={"COLUMNS": "80", "LINES": "24"}) as terminal:
        terminal.wait_until(lambda: "F1 help" in terminal.screen.display[39])
        terminal.resize(100, 30)
        terminal.wait_until(lambda: "F1 help" in terminal.screen.display[29])
        terminal.type(QUIT)
        assert terminal.exit_status() == 0


def test_a_run_is_interrupted_and_the_app_goes_on(private_home: Path) -> None:
    with Terminal(columns=80, rows=24) as terminal:
        terminal.wait_for("japanese")
        terminal.set_steps(900)  # not made before the key comes
        terminal.type(ENTER)
        terminal.wait_until(terminal.colours)
        terminal.type(ESCAPE)
        terminal.wait_for("topped")
        assert saved(private_home) == []
        terminal.type("\x1b[A\x1b[B5")
        terminal.wait_for("steps       5")
        terminal.type(ENTER)
        terminal.wait_for(
            ".png"
        )  # on the screen, too: while something is made, it is asked before it is left
        assert len(saved(private_home)) == 1
        terminal.type(QUIT)
        assert terminal.exit_status() == 0


def test_a_hang_up_ends_the_app_cleanly(private_home: Path) -> None:
    with Terminal(columns=80, rows=24) as terminal:
        terminal.wait_for("japanese")
        terminal.hang_up()
        terminal.exit_status()
        assert b"\x1b[?1049l" in terminal.output  # the alternate screen is left
        assert b"Traceback" not in terminal.output
