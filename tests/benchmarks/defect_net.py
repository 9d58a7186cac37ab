"""A small U-Net in plain torch that says of every pixel how likely it shows a defect.

After Ronneberger, Fischer and Brox, "U-Net" (2015): four scales, 0.5 million parameters, outputs at full resolution,
since a scratch is a pixel wide. Beside the image it is given how far that is from itself smoothed, for a colour that it
never saw says nothing and a difference does; its layers are normalised image by image, after Wu and He, "Group
Normalization" (2018), for the statistics of other materials are others. One function trains it, one applies it; both
are functions of their arguments and of a seed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn import functional

__all__ = ["SMALLEST", "Training", "UNet", "apply", "train"]

WIDTHS = (16, 32, 64, 128)
#: Standard deviations of the smoothing whose differences are inputs, pixels.
SMOOTHED = (2.0, 8.0)
#: Channels of each group that is normalised together.
GROUP = 8
#: Sides of images are padded to a multiple of this.
SMALLEST = 2 ** (len(WIDTHS) - 1)

#: Images (n, h, w, 3), defects (n, h, w), and how much pixels count (n, h, w), 0 for not at all.
Batch = tuple[npt.NDArray[np.uint8], npt.NDArray[np.bool_], npt.NDArray[np.float32]]


def _conv(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, 1, 1, bias=False), nn.GroupNorm(outputs // GROUP, outputs), nn.ReLU(inplace=True)
    )


class UNet(nn.Module):  # type: ignore[misc]  # torch is untyped here
    """(n, 9, h, w) of `_tensor` → (n, h, w) logits; h and w must be multiples of `SMALLEST`."""

    def __init__(self) -> None:
        super().__init__()
        ins = (3 + 3 * len(SMOOTHED), *WIDTHS)
        self.down = nn.ModuleList(
            nn.Sequential(_conv(i, o), _conv(o, o)) for i, o in zip(ins, WIDTHS, strict=False)
        )  # fmt: skip
        self.up = nn.ModuleList(_conv(deep + o, o) for o, deep in pairwise(WIDTHS))
        self.head = nn.Conv2d(WIDTHS[0], 1, 1)
        nn.init.constant_(self.head.bias, -3.0)  # few pixels are defects: start there

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        kept = []
        for k, block in enumerate(self.down):
            x = block(functional.max_pool2d(x, 2) if k else x)
            kept.append(x)
        for k in reversed(range(len(self.up))):
            x = self.up[k](torch.cat([functional.interpolate(x, scale_factor=2.0), kept[k]], 1))
        out: torch.Tensor = self.head(x)[:, 0]
        return out


@dataclass(frozen=True)
class Training:
    """How a network is trained."""

    steps: int
    batch: int = 16
    rate: float = 2e-3
    weight_decay: float = 1e-4
    device: str = "cpu"


def _tensor(images: npt.NDArray[np.uint8]) -> torch.Tensor:
    """(n, h, w, 3) sRGB → (n, 9, h, w): the images around 0, and four times their differences from smoothed ones."""
    smoothed = [np.stack([cv2.GaussianBlur(i.astype(np.float32), (0, 0), s) for i in images]) for s in SMOOTHED]
    channels = [images - np.float32(127.5), *(4 * (images - x) for x in smoothed)]
    return torch.from_numpy(np.concatenate(channels, axis=3)).permute(0, 3, 1, 2).div_(127.5).contiguous()


def _loss(logits: torch.Tensor, truth: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
    """Mean cross entropy, and 1 − Dice over the batch, of the pixels as far as they count."""
    entropy = functional.binary_cross_entropy_with_logits(logits, truth, reduction="none")
    p = torch.sigmoid(logits) * counts
    dice = (2 * (p * truth).sum() + 1) / (p.sum() + (truth * counts).sum() + 1)
    return (entropy * counts).sum() / counts.sum().clamp_min(1) + 1 - dice


def train(
    draw: Callable[[np.random.Generator, int], Batch], how: Training, seed: int,
    report: Callable[[int, float], None] | None = None,
) -> UNet:  # fmt: skip
    """A network trained for `how.steps` steps with AdamW and one cycle of the learning rate.

    `draw(rng, n)` gives n crops. `report(step, mean loss)` is called after each tenth of the steps.
    """
    rng = np.random.default_rng(seed)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        net = UNet().to(how.device).train()
    optimiser = torch.optim.AdamW(net.parameters(), how.rate, weight_decay=how.weight_decay)
    rate = torch.optim.lr_scheduler.OneCycleLR(optimiser, how.rate, how.steps, pct_start=0.15)
    losses = []
    for step in range(1, how.steps + 1):
        images, truth, counts = draw(rng, how.batch)
        due = (torch.from_numpy(a).to(how.device, torch.float32) for a in (truth, counts))
        loss = _loss(net(_tensor(images).to(how.device)), *due)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 5.0)
        optimiser.step()
        rate.step()
        losses.append(float(loss.detach()))
        if report and step % max(how.steps // 10, 1) == 0:
            report(step, float(np.mean(losses)))
            losses.clear()
    trained: UNet = net.cpu().eval()
    return trained


def apply(net: UNet, image: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """(h, w) logits of an image (h, w, 3), the mean over the image and its mirror images."""
    h, w = image.shape[:2]
    padded = np.pad(image, ((0, -h % SMALLEST), (0, -w % SMALLEST), (0, 0)), mode="reflect")
    x = _tensor(padded[None])
    with torch.no_grad():
        out = sum(net(x.flip(d)).flip([a - 1 for a in d]) for d in ([], [2], [3], [2, 3])) / 4
    return np.asarray(out[0, :h, :w].numpy(), np.float32)
