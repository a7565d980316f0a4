"""`sdtui samplers`: which samplers and noise schedules are there?"""

from __future__ import annotations

from argparse import Namespace

import msgspec

from sdcore.spec import choices
from tui.commands.console import say, say_columns, say_json


def run(options: Namespace) -> int:
    """List the samplers with the schedules that each can follow, then the schedules."""
    if options.json:
        for sampler in choices.SAMPLERS:
            say_json(msgspec.to_builtins(sampler))
        return 0
    rows = [
        (sampler.name, str(sampler.evals_per_step), "yes" if sampler.flow_schedules else "", sampler.summary)
        for sampler in choices.SAMPLERS
    ]
    say_columns([("SAMPLER", "FORWARDS", "FLOW", ""), *rows])
    say()
    say_columns([("SCHEDULE", ""), *((schedule.name, schedule.summary) for schedule in choices.SCHEDULES)])
    return 0
