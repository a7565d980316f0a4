"""A UNet that begins by returning its input.

Nearly all of a very noisy latent is noise, so the noise to predict is nearly the input, and whatever error there is
in copying it counts fourteenfold in the estimate of x0 at the last timestep. A fresh UNet has to learn to copy
through its last normalisation and nonlinearity; this one is born with it, and learns the difference.

The path, inside the plain architecture: `conv_in` keeps the input and its negative; the last resnet block receives
them over the outermost skip connection and passes them on through its 1x1 shortcut; the last normalisation finds
them in groups whose scale two constant channels hold steady; and as silu(z) - silu(-z) = z, `conv_out` adds them up.
"""

from __future__ import annotations

import math

import torch
from diffusers import UNet2DConditionModel

STEADY = 3.0


@torch.no_grad()
def start_as_identity(unet: UNet2DConditionModel) -> UNet2DConditionModel:
    """Change a fresh UNet, in place, so that it predicts its input; all its weights stay trainable.

    Group k of the last normalisation becomes (x, -x, STEADY, -STEADY) for latent channel k. Raises `ValueError`
    where the normalisation has too few or too small groups for that.
    """
    latent_channels = unet.config.in_channels
    last_resnet = unet.up_blocks[-1].resnets[-1]
    norm = unet.conv_norm_out
    group = norm.num_channels // norm.num_groups
    if group < 4 or norm.num_groups < latent_channels:
        raise ValueError(
            f"{norm.num_groups} groups of {group} channels cannot carry {latent_channels} latents"
        )
    carried = group * latent_channels
    skip = last_resnet.conv_shortcut.in_channels - unet.conv_in.out_channels

    for layer in (last_resnet.conv2, last_resnet.conv_shortcut):
        layer.weight[:carried] = 0.0
        layer.bias[:carried] = 0.0
    norm.weight[:carried], norm.bias[:carried] = 1.0, 0.0
    unet.conv_out.weight.zero_()
    unet.conv_out.bias.zero_()

    # The group's mean is zero; this is its deviation for an input of unit deviation.
    deviation = math.sqrt((2.0 + 2.0 * STEADY**2) / group)
    for channel in range(latent_channels):
        first = group * channel
        for offset, sign in ((0, 1.0), (1, -1.0)):
            here = first + offset
            unet.conv_in.weight[here] = 0.0
            unet.conv_in.bias[here] = 0.0
            unet.conv_in.weight[here, channel, 1, 1] = sign
            last_resnet.conv_shortcut.weight[here, skip + here] = 1.0
            last_resnet.conv_shortcut.bias[here + 2] = sign * STEADY
            unet.conv_out.weight[channel, here, 1, 1] = sign * deviation
    return unet
