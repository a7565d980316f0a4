"""Latents on one scale, whatever sampler they belong to: as the network is given them."""

from __future__ import annotations

from torch import Tensor

from sdcore.diffusion.trace import Trace


def latents_at(trace: Trace, place: int) -> Tensor:
    """The latents (B, C, h, w) before forward `place`; `len(trace)` means those after the last recorded one."""
    return trace[place].latents if place < len(trace) else trace[place - 1].next_latents


def network_input(trace: Trace, place: int) -> Tensor:
    """The latents before forward `place` as the network takes them (B, C, h, w), of a deviation of about 1.

    Variance-exploding samplers, told by their factor of x0 being 1, let the latents grow to sqrt(1 + sigma^2), and
    divide by that (Karras et al., arXiv 2206.00364, table 1); variance-preserving ones change nothing.
    """
    latents = latents_at(trace, place)
    _, sampler = trace.at(min(place, trace.total - 1))
    exploding = sampler.alphas[min(place, trace.total - 1)] == 1
    return latents / (1 + sampler.sigmas[place] ** 2) ** 0.5 if exploding else latents
