"""What a recipe may name: samplers, noise schedules and the like; data for choosers, checks and metadata.

What each name means to diffusers is in `sdcore.diffusion.samplers`; a test holds the two tables together.
"""

from __future__ import annotations

import msgspec

from sdcore.spec.families import FAMILIES


class ScheduleChoice(msgspec.Struct, frozen=True):
    """A noise schedule as a person meets it: which sigmas the steps visit between most and no noise."""

    name: str
    summary: str
    aliases: tuple[str, ...] = ()


class SamplerChoice(msgspec.Struct, frozen=True):
    """A sampler as a person meets it.

    `evals_per_step` counts the forward passes of the network in one step. `schedules` names the noise
    schedules that the sampler can follow, `flow_schedules` those that it can for flow models: none where it cannot
    sample them. `stochastic` samplers draw new noise while they run.
    """

    name: str
    summary: str
    schedules: tuple[str, ...]
    evals_per_step: int = 1
    stochastic: bool = False
    aliases: tuple[str, ...] = ()
    flow_schedules: tuple[str, ...] = ()


class NamedChoice(msgspec.Struct, frozen=True):
    """One of a few ways to do a thing, as a person meets it."""

    name: str
    summary: str
    aliases: tuple[str, ...] = ()


EMPHASIS_MEAN = "original"
EMPHASIS_IGNORE = "ignore"
EMPHASES: tuple[NamedChoice, ...] = (
    NamedChoice(EMPHASIS_MEAN, "embeddings times their weight, then scaled to keep the mean, as A1111 does"),
    NamedChoice("no norm", "embeddings times their weight, and no more"),
    NamedChoice(
        "ComfyUI", "from the empty prompt's embeddings towards the word's, as far as its weight says"
    ),
    NamedChoice(EMPHASIS_IGNORE, "weights are read and left out: every word counts the same"),
)
"""How the weights of words act on their embeddings, the default first."""

RNG_CPU = "cpu"
RNG_PHILOX = "gpu"
RNGS: tuple[NamedChoice, ...] = (
    NamedChoice(RNG_CPU, "torch's generator on the CPU: a seed means the same image on every machine"),
    NamedChoice(
        RNG_PHILOX,
        "Philox, as a CUDA GPU draws: for seeds brought from A1111, computed on the CPU",
        ("NV", "Philox", "cuda"),
    ),
)
"""Where noise comes from, the default first."""

UPSCALE_LATENT = "latent"
UPSCALERS: tuple[NamedChoice, ...] = (
    NamedChoice(UPSCALE_LATENT, "latents enlarged bilinearly: cheap, wants a strength above 0.5"),
    NamedChoice("Lanczos", "pixels enlarged by a windowed sinc and encoded again: keeps the picture"),
)
"""How a first pass is enlarged for the second, the default first."""

AUTOMATIC = "automatic"
KARRAS = "Karras"
EXPONENTIAL = "exponential"
BETA = "beta"
SGM_UNIFORM = "SGM uniform"
ALIGN_YOUR_STEPS = "Align Your Steps"
CUSTOM = "custom"

SCHEDULES: tuple[ScheduleChoice, ...] = (
    ScheduleChoice(AUTOMATIC, "the spacing that the sampler was published with"),
    ScheduleChoice(KARRAS, "more steps at low noise: crisp detail from few steps (arXiv 2206.00364)"),
    ScheduleChoice(EXPONENTIAL, "sigmas evenly spaced in their logarithm", ("polyexponential",)),
    ScheduleChoice(BETA, "steps crowd at both ends of the noise (arXiv 2407.12173)"),
    ScheduleChoice(
        SGM_UNIFORM,
        "even timesteps, starting from full noise (trailing)",
        ("simple", "sgm_uniform", "trailing"),
    ),
    ScheduleChoice(
        ALIGN_YOUR_STEPS,
        "sigmas optimised for about 10 steps (arXiv 2404.14507)",
        ("align_your_steps", "ays"),
    ),
    ScheduleChoice(CUSTOM, "a list of sigmas of your own, highest first"),
)
"""Every noise schedule, the default first."""

_SPACED = (AUTOMATIC, SGM_UNIFORM)
_SIGMAS = (AUTOMATIC, KARRAS, EXPONENTIAL, BETA, SGM_UNIFORM)
_SIGMAS_AYS = (*_SIGMAS, ALIGN_YOUR_STEPS)
_FLOW_SIGMAS = (*_SIGMAS, CUSTOM)

SAMPLERS: tuple[SamplerChoice, ...] = (
    SamplerChoice(
        "LMS",
        "linear multistep, looks back four steps: the study notes' sampler",
        _SIGMAS,
        aliases=("lms", "k_lms"),
    ),
    SamplerChoice(
        "Euler",
        "the plain first-order step: fast, soft, predictable",
        (*_SIGMAS_AYS, CUSTOM),
        aliases=("euler", "k_euler"),
        flow_schedules=_FLOW_SIGMAS,
    ),
    SamplerChoice(
        "Euler a",
        "ancestral Euler: fresh noise each step, never settles",
        _SPACED,
        stochastic=True,
        aliases=("Euler ancestral", "euler_ancestral", "euler_a", "k_euler_a", "k_euler_ancestral"),
    ),
    SamplerChoice(
        "Heun",
        "second order: two forwards a step, fewer steps needed",
        _SIGMAS_AYS,
        2,
        aliases=("heun", "k_heun"),
        flow_schedules=_SIGMAS,
    ),
    SamplerChoice("DPM2", "second order by the midpoint", _SIGMAS, 2, aliases=("dpm_2", "k_dpm_2")),
    SamplerChoice(
        "DPM2 a", "DPM2 with fresh noise each step", _SIGMAS, 2, True, ("dpm_2_ancestral", "k_dpm_2_a")
    ),
    SamplerChoice(
        "DPM++ 2M",
        "second-order multistep at one forward a step: a good default",
        _SIGMAS_AYS,
        aliases=("dpmpp_2m", "k_dpmpp_2m"),
        flow_schedules=(AUTOMATIC,),
    ),
    SamplerChoice(
        "DPM++ 2M SDE",
        "DPM++ 2M with fresh noise each step: richer texture",
        _SIGMAS_AYS,
        stochastic=True,
        aliases=("dpmpp_2m_sde",),
    ),
    SamplerChoice(
        "DPM++ SDE",
        "stochastic, two forwards a step: slow and detailed",
        _SIGMAS,
        2,
        True,
        ("dpmpp_sde", "k_dpmpp_sde"),
    ),
    SamplerChoice(
        "UniPC",
        "predictor and corrector: good images from 10 steps",
        _SIGMAS,
        aliases=("uni_pc", "unipc"),
        flow_schedules=(AUTOMATIC,),
    ),
    SamplerChoice("DEIS", "exponential integrator: good images from 15 steps", _SIGMAS, aliases=("deis",)),
    SamplerChoice("DDIM", "the deterministic classic (arXiv 2010.02502)", _SPACED, aliases=("ddim",)),
    SamplerChoice(
        "DDPM",
        "the original random walk: wants many steps (arXiv 2006.11239)",
        _SPACED,
        stochastic=True,
        aliases=("ddpm",),
    ),
    SamplerChoice(
        "PLMS",
        "pseudo linear multistep, Stable Diffusion's first sampler",
        _SPACED,
        aliases=("plms", "PNDM", "pndm"),
    ),
    SamplerChoice(
        "LCM",
        "for latent-consistency models: 4 to 8 steps, guidance 1 to 2",
        (AUTOMATIC,),
        stochastic=True,
        aliases=("lcm",),
    ),
    SamplerChoice(
        "TCD", "for trajectory-consistency models: few steps", (AUTOMATIC,), stochastic=True, aliases=("tcd",)
    ),
)
"""Every sampler, the default first."""


def samplers_for(family_name: str) -> tuple[SamplerChoice, ...]:
    """The samplers that a family of models can use; all of them for a family that is not known."""
    flow = is_flow_family(family_name)
    return tuple(choice for choice in SAMPLERS if choice.flow_schedules or not flow)


def schedules_for(sampler: SamplerChoice, family_name: str) -> tuple[str, ...]:
    """The names of the noise schedules that a sampler can follow for a family of models."""
    return sampler.flow_schedules if is_flow_family(family_name) else sampler.schedules


def is_flow_family(name: str) -> bool:
    """Whether a family's networks predict the velocity of a flow; false for a family that is not known."""
    return any(one.flow for one in FAMILIES if one.name == name)


def find_sampler(name: str) -> SamplerChoice | None:
    """The sampler that `name` means, by its own name or an alias, whatever the case; None if there is none."""
    return _SAMPLERS_BY_NAME.get(name.strip().casefold())


def find_schedule(name: str) -> ScheduleChoice | None:
    """The noise schedule that `name` means, by its own name or an alias, whatever the case; None if there is none."""
    return _SCHEDULES_BY_NAME.get(name.strip().casefold())


def find_named(known: tuple[NamedChoice, ...], name: str) -> NamedChoice | None:
    """The one of `known` that `name` means, by its own name or an alias, whatever the case; None if there is none."""
    plain = name.strip().casefold()
    return next(
        (one for one in known if plain in (said.casefold() for said in (one.name, *one.aliases))), None
    )


_SAMPLERS_BY_NAME = {
    name.casefold(): choice for choice in SAMPLERS for name in (choice.name, *choice.aliases)
}
_SCHEDULES_BY_NAME = {
    name.casefold(): choice for choice in SCHEDULES for name in (choice.name, *choice.aliases)
}
