"""Denoisers of the sizes that are published, without weights: how many multiply-adds one of their passes takes.

They are built from their published configurations on torch's "meta" device, where shapes are followed and nothing is
computed, and torch counts the products of matrices and the convolutions on the way.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

__all__ = ["MODELS", "Denoiser", "tflop_of_a_pass"]


@dataclass(frozen=True)
class Denoiser:
    """A published denoiser.

    Attributes:
        name: the model that it belongs to.
        build: makes it, on the device that torch has as its default.
        inputs: of one pass over a picture of (height, width).
        published: how many parameters its authors say it has, in billions, to two digits.
        passes: of each step; two with guidance by a negative prompt, one where guidance was distilled.
    """

    name: str
    build: Callable[[], Any]
    inputs: Callable[[int, int], dict[str, Any]]
    published: float
    passes: int


def tflop_of_a_pass(model: Denoiser, size: tuple[int, int]) -> float:
    """10¹² operations (a multiply-add is two) of one pass over a picture of (width, height)."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    with torch.device("meta"), torch.no_grad(), FlopCounterMode(display=False) as counter:
        net = model.build()
        count = sum(p.numel() for p in net.parameters()) / 1e9
        if abs(count - model.published) > 0.02 * model.published:
            raise SystemExit(f"{model.name} as built has {count:.3g}·10⁹ parameters, not {model.published:g}·10⁹")
        net(**model.inputs(size[1], size[0]))
    return float(counter.get_total_flops()) / 1e12


def _sd15() -> Any:
    from diffusers import UNet2DConditionModel

    return UNet2DConditionModel(sample_size=64, cross_attention_dim=768)


def _sdxl() -> Any:
    from diffusers import UNet2DConditionModel

    return UNet2DConditionModel(
        sample_size=128, block_out_channels=(320, 640, 1280), transformer_layers_per_block=(1, 2, 10),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"), attention_head_dim=(5, 10, 20),
        cross_attention_dim=2048, use_linear_projection=True, addition_embed_type="text_time",
        addition_time_embed_dim=256, projection_class_embeddings_input_dim=2816,
    )  # fmt: skip


def _flux1() -> Any:
    from diffusers import FluxTransformer2DModel

    return FluxTransformer2DModel(guidance_embeds=True)


def _unet_inputs(height: int, width: int) -> dict[str, Any]:
    """Latents of an eighth of the sides, and the 77 tokens of CLIP."""
    import torch

    return {
        "sample": torch.zeros(1, 4, height // 8, width // 8),
        "timestep": torch.zeros(1),
        "encoder_hidden_states": torch.zeros(1, 77, 768),
    }


def _sdxl_inputs(height: int, width: int) -> dict[str, Any]:
    import torch

    added = {"text_embeds": torch.zeros(1, 1280), "time_ids": torch.zeros(1, 6)}
    text = {"encoder_hidden_states": torch.zeros(1, 77, 2048)}
    return _unet_inputs(height, width) | text | {"added_cond_kwargs": added}


def _flux1_inputs(height: int, width: int) -> dict[str, Any]:
    """A token for every 16 × 16 pixels, and the 512 of T5."""
    import torch

    tokens = (height // 16) * (width // 16)
    return {
        "hidden_states": torch.zeros(1, tokens, 64), "encoder_hidden_states": torch.zeros(1, 512, 4096),
        "pooled_projections": torch.zeros(1, 768), "timestep": torch.zeros(1), "guidance": torch.zeros(1),
        "img_ids": torch.zeros(tokens, 3), "txt_ids": torch.zeros(512, 3),
    }  # fmt: skip


#: Sizes: Podell et al., SDXL (2023), table 1; the model card of FLUX.1 [dev].
MODELS = (
    Denoiser("Stable Diffusion 1.5", _sd15, _unet_inputs, 0.86, 2),
    Denoiser("Stable Diffusion XL", _sdxl, _sdxl_inputs, 2.6, 2),
    Denoiser("FLUX.1 [dev]", _flux1, _flux1_inputs, 12.0, 1),
)
