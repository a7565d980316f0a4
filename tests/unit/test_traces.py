"""The views of recorded runs: what is asked, what waits, what is kept."""

from __future__ import annotations

import msgspec
import pytest

from sdcore.engine import messages as m
from sdcore.spec import views as v
from sdcore.spec.lineage import Segment
from tests.ui.recorded_run import RecordedRun
from tui import traces
from tui.traces import Place, ViewKey, Views

RUN = RecordedRun()


def step_key(step: int) -> ViewKey:
    return traces.step_key(Place(RUN.info, step))


def answer(views: Views, sent: list[m.AnyCommand], index: int) -> ViewKey | None:
    question = sent[index]
    assert isinstance(question, m.GetView)
    (event,) = RUN.answer(question)
    assert isinstance(event, m.ViewReady)
    return views.handle(event)


def test_a_view_is_asked_for_once_and_kept() -> None:
    sent: list[m.AnyCommand] = []
    views = Views(sent.append)
    views.want(step_key(4))
    views.want(step_key(4))
    assert [(q.what, q.step, q.trace) for q in sent if isinstance(q, m.GetView)] == [("step", 4, "trace-1")]
    assert views.get(step_key(4)) is None
    assert answer(views, sent, 0) == step_key(4)
    assert isinstance(views.get(step_key(4)), v.StepView)
    views.want(step_key(4))
    assert len(sent) == 1


def test_of_what_waits_the_newest_alone_is_asked() -> None:
    sent: list[m.AnyCommand] = []
    views = Views(sent.append)
    for step in range(9):
        views.want(step_key(step))
    assert [q.step for q in sent if isinstance(q, m.GetView)] == [0, 1, 2]
    answer(views, sent, 0)
    assert [q.step for q in sent if isinstance(q, m.GetView)] == [0, 1, 2, 8]
    answer(views, sent, 1)
    assert len(sent) == 4


def test_nothing_is_fetched_ahead_of_what_waits() -> None:
    sent: list[m.AnyCommand] = []
    views = Views(sent.append)
    place = Place(RUN.info, 3)
    views.want(traces.attention_key(place, 5, whole_run=False))
    views.want(traces.attention_key(place, 6, whole_run=False))
    views.ahead(traces.attention_key(place, 7, whole_run=False))
    answer(views, sent, 0)
    assert [q.position for q in sent if isinstance(q, m.GetView)] == [5, 6]


def test_a_wish_that_was_given_up_is_not_asked_for() -> None:
    sent: list[m.AnyCommand] = []
    views = Views(sent.append)
    for step in (0, 1, 2, 3, 0):  # back at a step whose question is under way
        views.want(step_key(step))
    answer(views, sent, 0)
    assert [q.step for q in sent if isinstance(q, m.GetView)] == [0, 1, 2]


def test_what_cannot_be_had_is_told_and_not_asked_again() -> None:
    sent: list[m.AnyCommand] = []
    views = Views(sent.append)
    views.want(step_key(1))
    assert views.handle(m.TraceFailed(request=sent[0].request, message="No.")) == step_key(1)  # type: ignore[union-attr]
    views.want(step_key(1))
    assert (views.problem(step_key(1)), len(sent)) == ("No.", 1)
    views.forget_questions()
    views.want(step_key(1))
    assert (views.problem(step_key(1)), len(sent)) == ("", 2)


def test_answers_to_others_are_not_ours() -> None:
    views = Views(lambda command: None)
    assert views.handle(m.TraceFailed(request=7, message="No.")) is None


def test_a_new_engine_is_asked_what_the_old_one_did_not_answer() -> None:
    sent: list[m.AnyCommand] = []
    views = Views(sent.append)
    views.want(step_key(1))
    views.forget_questions()
    views.want(step_key(1))
    assert len(sent) == 2


def test_what_was_not_looked_at_for_longest_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[m.AnyCommand] = []
    views = Views(sent.append)
    for step in (0, 1):
        views.want(step_key(step))
        answer(views, sent, step)
    monkeypatch.setattr(traces, "BUDGET", 2 * traces._size(views.get(step_key(0))))  # type: ignore[arg-type]
    views.get(step_key(0))
    views.want(step_key(2))
    answer(views, sent, 2)
    assert [views.get(step_key(step)) is not None for step in (0, 1, 2)] == [True, False, True]


def test_the_initial_noise_lies_before_the_first_step() -> None:
    keys = [traces.latents_key(Place(RUN.info, step)) for step in (-2, -1, 0)]
    assert [(key.what, key.step) for key in keys] == [("noise", 0), ("scaled noise", 0), ("latents", 0)]


def test_a_forked_run_has_the_tokens_of_the_segment() -> None:
    segments = (RUN.info.segments[0], Segment(start=8, recipe=RUN.recipe))
    info = msgspec.structs.replace(RUN.info, segments=segments)
    assert [traces.text_key(Place(info, step)).step for step in (0, 7, 8, 20)] == [0, 0, 8, 8]


@pytest.mark.parametrize("field", ["prompt", "negative_prompt"])
def test_a_prompt_that_changes_has_the_tokens_of_the_step(field: str) -> None:
    recipe = msgspec.structs.replace(RUN.recipe, **{field: "a [red|blue] house"})
    info = msgspec.structs.replace(RUN.info, segments=(Segment(start=0, recipe=recipe),))
    assert [traces.text_key(Place(info, step)).step for step in (-2, 0, 7, 20)] == [0, 0, 7, 20]


def test_views_of_the_whole_run_are_fetched_again_as_it_grows() -> None:
    grown = msgspec.structs.replace(RUN.info, recorded=12)
    for key in (traces.guidance_key, lambda place: traces.sheet_key(place, 2),
                lambda place: traces.attention_key(place, 3, whole_run=True)):  # fmt: skip
        assert key(Place(RUN.info, 4)) != key(Place(grown, 4))
    assert traces.step_key(Place(RUN.info, 4)) == traces.step_key(Place(grown, 4))
