"""Durations and rates as a person reads them at a glance."""

from __future__ import annotations


def clock(seconds: float) -> str:
    """A duration that a person reads at a glance: `0.8 s`, `12 s`, `3:05`, `1:02:03`."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    if seconds < 59.5:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def rate(per_second: float) -> str:
    """Steps a second, or seconds a step when that is the larger number."""
    if per_second <= 0:
        return ""
    if per_second < 1:
        return f"{1 / per_second:.1f} s/it"
    return f"{per_second:.0f} it/s" if per_second >= 9.95 else f"{per_second:.1f} it/s"
