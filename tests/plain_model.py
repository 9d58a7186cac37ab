"""A Stable Diffusion whose weights are set by hand, so that what it does is known: it moves or softens a picture.

Real classes, real files, a real loop; but its VAE is the identity and its U-Net a convolution with 3 × 3 weights that
predicts the picture from the noisy one. So a model that keeps labels can be tested beside one that does not.

Both end in group norm and SiLU. Two channels that hold ±`LARGE` settle the norm's variance, one of zeros gives its mean
back, and SiLU is linear where its input is large.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from . import tiny_parts as parts

__all__ = ["MOVING", "SOFT", "plain_model"]

LARGE, LINEAR, WIDTH = 100.0, 12.0, 8
#: Mostly the pixel itself, and some of its neighbours.
SOFT = ((0.0, 0.1, 0.0), (0.1, 0.6, 0.1), (0.0, 0.1, 0.0))
#: The pixel to the right: the picture moves to the left by one with every step.
MOVING = ((0.0, 0.0, 0.0), (0.0, 0.0, 1.0), (0.0, 0.0, 0.0))


def plain_model(folder: Path, kernel: Sequence[Sequence[float]] = SOFT) -> Path:
    """The model, saved as users have theirs."""
    import torch
    from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel

    parts.seed()
    vae = AutoencoderKL(
        block_out_channels=(WIDTH,), layers_per_block=1, norm_num_groups=1, latent_channels=4, scaling_factor=1.0,
        down_block_types=("DownEncoderBlock2D",), up_block_types=("UpDecoderBlock2D",), mid_block_add_attention=False,
        use_quant_conv=False, use_post_quant_conv=False,
    )  # fmt: skip
    unet = UNet2DConditionModel(
        sample_size=16, in_channels=4, out_channels=4, block_out_channels=(WIDTH,), layers_per_block=1,
        down_block_types=("DownBlock2D",), up_block_types=("UpBlock2D",), mid_block_type=None, norm_num_groups=1,
        cross_attention_dim=32,
    )  # fmt: skip
    with torch.no_grad():
        for net in (vae.encoder, vae.decoder, unet):
            _pass_on(net)
            _read(net)
        _write(vae.encoder.conv_out, 3, ((1.0,),))
        vae.encoder.conv_out.bias[4:] = -30.0  # the logarithm of the latents' variance
        _write(vae.decoder.conv_out, 3, ((1.0,),))
        _write(unet.conv_out, 4, kernel)
    scheduler = DDIMScheduler(
        beta_start=1e-5, beta_end=1e-4, beta_schedule="linear", prediction_type="sample", clip_sample=False,
        set_alpha_to_one=True, steps_offset=1,
    )  # fmt: skip
    StableDiffusionPipeline(
        vae=vae, text_encoder=parts.text_encoder(), tokenizer=parts.tokenizer(), unet=unet, scheduler=scheduler,
        safety_checker=None, feature_extractor=None, requires_safety_checker=False,
    ).save_pretrained(folder)  # fmt: skip
    return folder


def _pass_on(net: Any) -> None:
    """What comes into a block goes out: what would be added is 0, and what is joined on is left aside."""
    for module in net.modules():
        kind = type(module).__name__
        if kind == "ResnetBlock2D":
            module.conv2.weight.zero_()
            module.conv2.bias.zero_()
            if module.conv_shortcut is not None:
                module.conv_shortcut.weight.zero_()
                module.conv_shortcut.bias.zero_()
                for k in range(WIDTH):
                    module.conv_shortcut.weight[k, k] = 1.0
        elif kind == "Transformer2DModel":
            module.proj_out.weight.zero_()
            module.proj_out.bias.zero_()


def _read(net: Any) -> None:
    """Channels in, ±LARGE and zeros beside them; the norm gives them back, raised to where SiLU is linear."""
    taken = net.conv_in.weight.shape[1]
    net.conv_in.weight.zero_()
    net.conv_in.bias.zero_()
    for k in range(taken):
        net.conv_in.weight[k, k, 1, 1] = 1.0
    net.conv_in.bias[WIDTH - 3], net.conv_in.bias[WIDTH - 2] = LARGE, -LARGE
    net.conv_norm_out.weight.fill_(LARGE * (2 / WIDTH) ** 0.5)
    net.conv_norm_out.bias.fill_(LINEAR)


def _write(conv: Any, channels: int, kernel: Sequence[Sequence[float]]) -> None:
    """Channels out, without what they were raised by."""
    conv.weight.zero_()
    conv.bias.zero_()
    for k in range(channels):
        for y, row in enumerate(kernel, 1 - len(kernel) // 2):
            for x, weight in enumerate(row, 1 - len(row) // 2):
                conv.weight[k, k, y, x] = weight
                conv.weight[k, WIDTH - 1, y, x] = -weight
