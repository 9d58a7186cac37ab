"""The embedded inpainter: a small diffusion model in pixels that paints defects of known kinds into their masks.

A `UNet2DModel` of diffusers sees a crop of the sound picture, the mask and how severe the defect is, and turns noise
into the crop with the defect. Outside the mask the sound pixels come back untouched. It was trained on renders alone:
it adds variety, not realism.

The schedule is that of Nichol and Dhariwal, "Improved Denoising Diffusion Probabilistic Models" (2021), rescaled to end
in noise alone as Lin et al., "Common Diffusion Noise Schedules and Sample Steps are Flawed" (2024), say; what is
predicted is the velocity of Salimans and Ho, "Progressive Distillation for Fast Sampling" (2022).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["SIDE", "Inpainter", "conditions", "network", "normal", "scheduler"]

#: Crops are so many pixels wide and high.
SIDE = 64
#: Channels of the four scales; 6.9 million parameters in all.
WIDTHS = (32, 64, 112, 144)
#: sRGB values are given as their distance from the crop's mean, in this unit.
UNIT = 0.2

Images = npt.NDArray[np.uint8]
Masks = npt.NDArray[np.bool_]


def network(kinds: int) -> Any:
    """An untrained net: (n, 8, 64, 64) noisy crop, sound crop, mask and severity, with kinds (n,) → velocity (n, 3, …).

    Kind `kinds` stands for any.
    """
    from diffusers import UNet2DModel

    return UNet2DModel(
        sample_size=SIDE, in_channels=8, out_channels=3, layers_per_block=2, block_out_channels=WIDTHS,
        down_block_types=("DownBlock2D", "DownBlock2D", "AttnDownBlock2D", "AttnDownBlock2D"),
        up_block_types=("AttnUpBlock2D", "AttnUpBlock2D", "UpBlock2D", "UpBlock2D"),
        norm_num_groups=8, attention_head_dim=8, num_class_embeds=kinds + 1,
    )  # fmt: skip


def scheduler() -> Any:
    """How noise comes in when it is trained, and goes out when it paints."""
    from diffusers import DDIMScheduler

    return DDIMScheduler(
        num_train_timesteps=1000, beta_schedule="squaredcos_cap_v2", prediction_type="v_prediction",
        rescale_betas_zero_snr=True, timestep_spacing="trailing", clip_sample=False,
    )  # fmt: skip


def normal(images: Any, sound: Any) -> Any:
    """sRGB 0 … 1 (n, 3, h, w), about the mean of each sound crop."""
    return (images - sound.mean(dim=(2, 3), keepdim=True)) / UNIT


def conditions(sound: Any, masks: Any, severities: Any) -> Any:
    """(n, 5, h, w): the sound crop (0 … 1) about its mean, the mask (n, h, w), and the severity (n,) inside it."""
    import torch

    inside = masks[:, None].to(sound.dtype)
    return torch.cat([normal(sound, sound), inside, inside * severities[:, None, None, None]], 1)


@dataclass(frozen=True)
class Inpainter:
    """A trained net and the kinds that it knows, in the order of their numbers."""

    net: Any
    kinds: tuple[str, ...]

    @classmethod
    def load(cls, folder: Path) -> Inpainter:
        """From a folder with config.json, the weights and kinds.txt, on the CPU in 32 bits."""
        import torch
        from diffusers import UNet2DModel

        net = UNet2DModel.from_pretrained(str(folder), use_safetensors=True, local_files_only=True)
        return cls(net.to(torch.float32).eval(), tuple((folder / "kinds.txt").read_text("utf-8").split()))

    def crops(
        self, sound: Images, masks: Masks, kinds: Sequence[str], severities: Sequence[float], seeds: Sequence[int],
        steps: int = 20,
    ) -> Images:  # fmt: skip
        """Crops (n, 64, 64, 3) sRGB with a defect in each mask (n, 64, 64), each by its own seed; the rest as it was.

        `severities` are 0 … 1.
        """
        import torch

        device = next(self.net.parameters()).device
        plain = torch.from_numpy(np.ascontiguousarray(sound.transpose(0, 3, 1, 2))).to(device).float() / 255
        inside = torch.from_numpy(masks).to(device)
        given = conditions(plain, inside, torch.tensor(severities, dtype=torch.float32, device=device))
        labels = torch.tensor([self.kinds.index(kind) for kind in kinds], device=device)
        plan = scheduler()
        plan.set_timesteps(steps)
        x = torch.stack(
            [torch.randn((3, SIDE, SIDE), generator=torch.Generator("cpu").manual_seed(seed)) for seed in seeds]
        ).to(device)
        with torch.no_grad():
            for t in plan.timesteps:
                velocity = self.net(torch.cat([x, given], 1), t, class_labels=labels).sample
                x = plan.step(velocity, t, x).prev_sample
        painted = x * UNIT + plain.mean(dim=(2, 3), keepdim=True)
        out = torch.where(inside[:, None], painted, plain).clamp(0, 1).mul(255).round().to(torch.uint8)
        return np.ascontiguousarray(out.cpu().numpy().transpose(0, 2, 3, 1))
