"""What other programs call our samplers and noise schedules. A name that is in no table means nothing to us.

Sources: `KSAMPLER_NAMES` and `SCHEDULER_NAMES` of ComfyUI's `comfy/samplers.py` (SwarmUI and Fooocus use the same
names); `SCHEDULER_MAP` of InvokeAI's `backend/stable_diffusion/schedulers`; NovelAI's list of samplers; the names of
`sample_method_t` and `scheduler_t` in stable-diffusion.cpp; classes of diffusers.
"""

from __future__ import annotations

from typing import Final

from sdcore.spec import choices

_EXPONENTIAL_KARRAS: Final = (choices.KARRAS, choices.EXPONENTIAL)

_SAMPLERS: Final[dict[str, str]] = {
    # ComfyUI
    "dpmpp_sde_gpu": "DPM++ SDE", "dpmpp_2m_sde_gpu": "DPM++ 2M SDE", "uni_pc_bh2": "UniPC",
    "dpmpp_2m_sde_heun": "DPM++ 2M SDE", "dpmpp_2m_sde_heun_gpu": "DPM++ 2M SDE",
    # InvokeAI
    "kdpm_2": "DPM2", "kdpm_2_a": "DPM2 a", "k_dpm_2_ancestral": "DPM2 a", "k_dpmpp_2": "DPM++ 2M",
    # NovelAI
    "k_dpmpp_2m_sde": "DPM++ 2M SDE", "ddim_v3": "DDIM",
    # stable-diffusion.cpp
    "dpm2": "DPM2", "dpm++2m": "DPM++ 2M", "dpm++2mv2": "DPM++ 2M", "ddim_trailing": "DDIM",
    # Draw Things
    "euler a substep": "Euler a", "euler ancestral": "Euler a", "dpm++ 2m ays": "DPM++ 2M", "ddim trailing": "DDIM",
    # AUTOMATIC1111's web UI
    "dpm2 a": "DPM2 a", "pndm": "PLMS", "dpm++ 2m sde heun": "DPM++ 2M SDE",
    # diffusers
    "eulerdiscretescheduler": "Euler", "eulerancestraldiscretescheduler": "Euler a",
    "flowmatcheulerdiscretescheduler": "Euler", "flowmatchheundiscretescheduler": "Heun",
    "heundiscretescheduler": "Heun", "kdpm2discretescheduler": "DPM2", "kdpm2ancestraldiscretescheduler": "DPM2 a",
    "lmsdiscretescheduler": "LMS", "dpmsolvermultistepscheduler": "DPM++ 2M", "dpmsolversdescheduler": "DPM++ SDE",
    "unipcmultistepscheduler": "UniPC", "deismultistepscheduler": "DEIS", "ddimscheduler": "DDIM",
    "ddpmscheduler": "DDPM", "pndmscheduler": "PLMS", "lcmscheduler": "LCM", "tcdscheduler": "TCD",
}  # fmt: skip

_SCHEDULES: Final[dict[str, str]] = {
    "normal": choices.AUTOMATIC, "native": choices.AUTOMATIC, "default": choices.AUTOMATIC,
    "discrete": choices.AUTOMATIC, "uniform": choices.AUTOMATIC, "turbo": choices.SGM_UNIFORM,
}  # fmt: skip

_FOLDED: Final[dict[str, str]] = {
    "ddim_trailing": choices.SGM_UNIFORM,
    "ddim trailing": choices.SGM_UNIFORM,
    "dpm++ 2m ays": choices.ALIGN_YOUR_STEPS,
}
"""Samplers whose name says their schedule, too."""

_ENDINGS: Final[dict[str, str]] = {
    **{f" {name.casefold()}": name for name in _EXPONENTIAL_KARRAS},
    "_k": choices.KARRAS,
    "_karras": choices.KARRAS,
    " ays": choices.ALIGN_YOUR_STEPS,
    " sgm_uniform": choices.SGM_UNIFORM,
    " simple": choices.SGM_UNIFORM,
    " discrete": choices.AUTOMATIC,
    " default": choices.AUTOMATIC,
    " beta": choices.BETA,
}
"""What a sampler's name ends with where it says the schedule, too."""

NEAREST: Final[dict[str, str]] = {
    "dpm++ 3m sde": "DPM++ 2M SDE", "dpmpp_3m_sde": "DPM++ 2M SDE", "dpmpp_3m_sde_gpu": "DPM++ 2M SDE",
    "dpmpp_3m": "DPM++ 2M",
    "dpm++ 2s a": "DPM++ SDE", "dpmpp_2s_ancestral": "DPM++ SDE", "k_dpmpp_2s_ancestral": "DPM++ SDE",
    "dpm++2s_a": "DPM++ SDE", "dpmpp_2s": "DPM++ 2M", "dpmpp_2s_ancestral_cfg_pp": "DPM++ SDE",
    "restart": "Heun", "dpm fast": "DPM++ 2M", "dpm_fast": "DPM++ 2M", "dpm adaptive": "DPM++ 2M",
    "dpm_adaptive": "DPM++ 2M", "k_dpm_fast": "DPM++ 2M", "k_dpm_adaptive": "DPM++ 2M",
    "euler_cfg_pp": "Euler", "euler_ancestral_cfg_pp": "Euler a", "euler_smea_dy": "Euler", "heunpp2": "Heun",
    "ipndm": "PLMS", "ipndm_v": "PLMS", "res_multistep": "DPM++ 2M", "res_multistep_ancestral": "DPM++ SDE",
    "gradient_estimation": "Euler", "er_sde": "DPM++ 2M SDE", "sa_solver": "DPM++ 2M SDE", "nai_smea": "Euler",
    "ipndmscheduler": "PLMS", "dpmsolversinglestepscheduler": "DPM++ 2M", "edmeulerscheduler": "Euler",
}  # fmt: skip
"""Samplers that we do not have, and the one of ours that does nearly the same."""


def sampler_named(name: str) -> tuple[str, str | None] | None:
    """Our sampler that a program calls `name`, and the schedule if the name says that, too; None if none is meant."""
    plain = name.strip().casefold()
    if sampler := _sampler(plain):
        return sampler, _FOLDED.get(plain)
    for ending, schedule in _ENDINGS.items():
        if plain.endswith(ending) and (sampler := _sampler(plain[: -len(ending)].rstrip())):
            return sampler, schedule
    return None


def schedule_named(name: str) -> str | None:
    """Our schedule that a program calls `name`, None if none is meant."""
    found = choices.find_schedule(name)
    return found.name if found else _SCHEDULES.get(name.strip().casefold())


def named(sampler: str | None, schedule: str | None) -> dict[str, str]:
    """The fields of a sampler and a schedule as a program calls them, with our names where we have them.

    A schedule that is said beside the sampler counts before the one that the sampler's name says.
    """
    fields: dict[str, str] = {}
    if sampler:
        ours, folded = sampler_named(sampler) or (sampler, None)
        fields = {"sampler": ours, **({"schedule": folded} if folded else {})}
        fields |= _folded_away(sampler, fields)
    if schedule:
        fields["schedule"] = schedule_named(schedule) or schedule
    return fields


def _folded_away(sampler: str, fields: dict[str, str]) -> dict[str, str]:
    """A sampler that we do not have still is one, without the schedule that its name ends with: "Restart Karras"."""
    if fields["sampler"] != sampler or "schedule" in fields:
        return {}
    for name in _EXPONENTIAL_KARRAS:
        if sampler.casefold().endswith(f" {name.casefold()}"):
            return {"sampler": sampler[: -len(name) - 1], "schedule": name}
    return {}


def _sampler(plain: str) -> str | None:
    found = choices.find_sampler(plain)
    return found.name if found else _SAMPLERS.get(plain)
