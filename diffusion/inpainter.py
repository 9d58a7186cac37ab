"""The embedded inpainter: a small diffusion model in pixels that paints defects of known kinds into their masks.

A `UNet2DModel` of diffusers sees a crop of the sound picture, the mask, how severe the defect is and its tone, and
turns noise into the crop with the defect. Outside the mask the sound pixels come back untouched. It was trained on
renders alone: it adds variety, not realism.

The schedule is that of Nichol and Dhariwal, "Improved Denoising Diffusion Probabilistic Models" (2021), rescaled to end
in noise alone as Lin et al., "Common Diffusion Noise Schedules and Sample Steps are Flawed" (2024), say; what is
predicted is the velocity of Salimans and Ho, "Progressive Distillation for Fast Sampling" (2022).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["SIDE", "STEPS", "UNIT", "WEIGHTS", "Inpainter", "conditions", "network", "normal", "scheduler", "tone"]

#: The weights that come with the package.
WEIGHTS = Path(__file__).parent / "weights" / "inpainter"
#: Crops are so many pixels wide and high.
SIDE = 64
#: Channels of the four scales; 6.9 million parameters in all.
WIDTHS = (32, 64, 112, 144)
#: sRGB values are given as their distance from the crop's mean, in this unit.
UNIT = 0.2
#: Steps from noise to picture, and crops at a time.
STEPS, BATCH = 20, 8
#: A tone is drawn from so many that its kind had on the most similar grounds.
ALIKE = 6

Images = npt.NDArray[np.uint8]
Masks = npt.NDArray[np.bool_]


def network(kinds: int) -> Any:
    """An untrained net: (n, 11, 64, 64), a noisy crop and `conditions`, with kinds (n,) → velocity (n, 3, 64, 64).

    Kind `kinds` stands for any.
    """
    from diffusers import UNet2DModel

    return UNet2DModel(
        sample_size=SIDE, in_channels=11, out_channels=3, layers_per_block=2, block_out_channels=WIDTHS,
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


def tone(marred: Any, sound: Any, masks: Any) -> Any:
    """(n, 3) mean change of each channel inside the mask (n, h, w), in `UNIT`; images are sRGB 0 … 1 (n, 3, h, w)."""
    inside = masks[:, None].to(sound.dtype)
    return ((marred - sound) * inside).sum((2, 3)) / inside.sum((2, 3)).clamp_min(1) / UNIT


def conditions(sound: Any, masks: Any, severities: Any, tones: Any) -> Any:
    """(n, 8, h, w): the sound crop (0 … 1) about its mean, the mask, and in it the severity (n,) and `tone` (n, 3)."""
    import torch

    inside = masks[:, None].to(sound.dtype)
    told = [inside * x[:, :, None, None] for x in (severities[:, None], tones)]
    return torch.cat([normal(sound, sound), inside, *told], 1)


@dataclass(frozen=True)
class Inpainter:
    """A trained net, the kinds that it knows in the order of their numbers, and tones that each had in training.

    A tone is given as (6,): the mean colour of the sound pixels that the defect lay on, sRGB 0 … 1, and `tone`.
    """

    net: Any
    kinds: tuple[str, ...]
    tones: dict[str, npt.NDArray[np.float32]]

    @classmethod
    def load(cls, folder: Path) -> Inpainter:
        """From a folder with config.json, the weights and kinds.json, on the CPU in 32 bits."""
        import torch
        from diffusers import UNet2DModel

        net = UNet2DModel.from_pretrained(str(folder), use_safetensors=True, local_files_only=True)
        told = json.loads((folder / "kinds.json").read_text("utf-8"))
        tones = {kind: np.array(rows, np.float32).reshape(-1, 6) for kind, rows in told.items()}
        return cls(net.to(torch.float32).eval(), tuple(tones), tones)

    def drawn_tones(
        self, rng: np.random.Generator, sound: Images, masks: Masks, kinds: Sequence[str]
    ) -> npt.NDArray[np.float32]:
        """(n, 3) a tone for each crop (n, h, w, 3): one that its kind had on a ground of nearly this colour."""
        out = []
        for image, mask, kind in zip(sound, masks, kinds, strict=True):
            known = self.tones[kind]
            far = np.linalg.norm(known[:, :3] - image[mask].mean(axis=0) / 255, axis=1)
            alike = np.argsort(np.round(far, 6), kind="stable")[:ALIKE]
            out.append(known[alike[rng.integers(len(alike))], 3:])
        return np.array(out, np.float32)

    def crops(
        self, sound: Images, masks: Masks, kinds: Sequence[str], severities: Sequence[float],
        tones: npt.NDArray[np.float32], seeds: Sequence[int], steps: int = STEPS,
    ) -> Images:  # fmt: skip
        """Crops (n, 64, 64, 3) sRGB with a defect in each mask (n, 64, 64), each by its own seed; the rest as it was.

        `severities` are 0 … 1, `tones` (n, 3) as of `tone` or `drawn_tones`. What a crop becomes does not depend on the
        others: the net sees `BATCH` at a time, filled up with copies of the last.
        """
        painted = np.empty_like(sound)
        for start in range(0, len(sound), BATCH):
            n = [min(start + k, len(sound) - 1) for k in range(BATCH)]
            some = self._batch(
                sound[n], masks[n], [self.kinds.index(kinds[k]) for k in n], np.asarray(severities, np.float32)[n],
                tones[n], [seeds[k] for k in n], steps,
            )  # fmt: skip
            painted[start : start + BATCH] = some[: len(sound) - start]
        return np.where(masks[..., None], painted, sound)

    def _batch(
        self, sound: Images, masks: Masks, kinds: list[int], severities: npt.NDArray[np.float32],
        tones: npt.NDArray[np.float32], seeds: list[int], steps: int,
    ) -> Images:  # fmt: skip
        import torch

        device = next(self.net.parameters()).device
        plain = torch.from_numpy(np.ascontiguousarray(sound.transpose(0, 3, 1, 2))).to(device).float() / 255
        told = (torch.from_numpy(np.ascontiguousarray(x)).to(device) for x in (masks, severities, tones))
        given, labels = conditions(plain, *told), torch.tensor(kinds, device=device)
        plan = scheduler()
        plan.set_timesteps(steps)
        generators = [torch.Generator("cpu").manual_seed(seed) for seed in seeds]
        x = torch.stack([torch.randn((3, SIDE, SIDE), generator=g) for g in generators]).to(device)
        with torch.no_grad():
            for t in plan.timesteps:
                velocity = self.net(torch.cat([x, given], 1), t, class_labels=labels).sample
                x = plan.step(velocity, t, x).prev_sample
        out = (x * UNIT + plain.mean(dim=(2, 3), keepdim=True)).clamp(0, 1).mul(255).round().to(torch.uint8)
        return np.ascontiguousarray(out.cpu().numpy().transpose(0, 2, 3, 1))
