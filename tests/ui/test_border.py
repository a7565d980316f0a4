"""The last border: a widget that forgot to sanitise, and an app that falls over."""

from __future__ import annotations

import pytest
from rich.segment import ControlType, Segment
from textual.color import Color
from textual.content import Content
from textual.widgets import Static

from sdcore.secrecy import without_secrets
from tests.ui.conftest import MakeApp
from tui.crash import log_path, report
from tui.term.border import TextBorder

HOSTILE = ("\x1b]0;owned\x07", "\x9b31m", "\u202egnp.exe", "\x1b[2J", "\x00", "\r", "\x7f", "\u2066")


@pytest.mark.parametrize("text", HOSTILE)
async def test_what_a_widget_forgets_is_caught(make_app: MakeApp, text: str) -> None:
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        await app.studio.ready.wait()
        await app.studio.mount(Static(Content(f"forgotten {text} here")))
        await pilot.pause()
        shown = "".join(
            segment.text
            for strip in app.screen._compositor.render_strips()
            for segment in strip
            if not segment.control
        )
        assert "forgotten" in shown
        assert not any(character in shown for character in "\x00\x07\r\x1b\x7f\x9b\u202e\u2066")


def test_what_is_text_passes_as_it_is() -> None:
    segments = [Segment("ä ▀ 日本"), Segment("\x1b[2J", None, [(ControlType.CLEAR,)])]
    assert TextBorder().apply(segments, Color(0, 0, 0)) is segments


@pytest.mark.parametrize(
    "secret",
    ["hf_abcdefghijklmnop", "Bearer xyz.123-456", "https://me:hunter22@box/x", "ghp_0123456789abcdef"],
)
def test_secrets_are_left_out(secret: str) -> None:
    said = without_secrets(f"could not fetch with {secret} today")
    assert not any(part in said for part in ("abcdefghijklmnop", "xyz.123", "hunter22", "0123456789abcdef"))
    assert said.startswith("could not fetch with")
    assert said.endswith("today")


async def test_an_app_that_falls_over_shows_no_values(
    make_app: MakeApp, capsys: pytest.CaptureFixture[str]
) -> None:
    app = make_app()

    def fall() -> None:
        token = "hf_secretsecretsecret"
        raise ValueError(f"no \x1b]0;owned\x07 {token}")

    with pytest.raises(ValueError, match="owned"):  # noqa: PT012 - the app raises when it is left
        async with app.run_test(size=(80, 24)) as pilot:
            await app.studio.ready.wait()
            app.call_next(fall)
            await pilot.pause(0.2)
    log = log_path().read_text("utf-8")
    assert "in fall" in log
    shown = capsys.readouterr()
    for text in (log, shown.out, shown.err, "".join(str(one) for one in app._exit_renderables)):
        assert "secretsecret" not in text
        assert "\x1b]0" not in text


def test_a_log_that_cannot_be_written_is_no_second_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui.crash.log_path", lambda: log_path() / "below a file" / "x")
    assert "fell over" in report(ValueError("x"))
