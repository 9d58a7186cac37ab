"""A small CenterNet in plain torch: a heat map of centres for each class, and each centre's offset and box size.

After Zhou, Wang and Krähenbühl, "Objects as Points" (2019): a down-up network of 0.36 million parameters, outputs at a
quarter of the resolution, so that dice of 30 to 50 pixels with pips of 3 to 5 are told apart without a resize. One
function trains it, one detects; both are functions of their arguments and of a seed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn import functional

STRIDE = 4
#: Width of a centre's Gaussian in the heat map, in sides of its box: CenterNet's radius for an overlap of 0.7, over 3.
SIGMA = 0.10
MOST = 100  # detections of an image, as in COCO

Batch = tuple[npt.NDArray[np.uint8], list[npt.NDArray[np.float32]]]


def _conv(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)
    )


class _Block(nn.Module):  # type: ignore[misc]  # torch is untyped here
    """Two convolutions beside a shortcut."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second = _conv(width, width), nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.norm = nn.BatchNorm2d(width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return functional.relu(x + self.norm(self.second(self.first(x))))


class CenterNet(nn.Module):  # type: ignore[misc]  # torch is untyped here
    """(n, 3, h, w) images, values around 0 → (n, classes + 4, h/4, w/4): logits, offset x, y, and log width, height.

    h and w must be multiples of 16.
    """

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(_conv(3, 16, 2), _conv(16, 16), _conv(16, 32, 2), _Block(32))
        self.eighth = nn.Sequential(_conv(32, 64, 2), _Block(64))
        self.sixteenth = nn.Sequential(_conv(64, 96, 2), _Block(96))
        self.to_64, self.to_32 = nn.Conv2d(96, 64, 1), nn.Conv2d(64, 32, 1)
        self.head = nn.Sequential(_conv(32, 32), nn.Conv2d(32, classes + 4, 1))
        with torch.no_grad():
            bias = self.head[1].bias
            bias[:classes] = -4.0  # few places are centres: start there, as focal loss wants
            bias[classes + 2 :] = float(np.log(40 / STRIDE))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        quarter = self.stem(x)
        eighth = self.eighth(quarter)
        sixteenth = self.sixteenth(eighth)
        eighth = functional.relu(eighth + functional.interpolate(self.to_64(sixteenth), scale_factor=2.0))
        quarter = functional.relu(quarter + functional.interpolate(self.to_32(eighth), scale_factor=2.0))
        out: torch.Tensor = self.head(quarter)
        return out


@dataclass(frozen=True)
class Training:
    """How a detector is trained; the same for every set of images."""

    steps: int
    batch: int = 32
    rate: float = 2e-3
    weight_decay: float = 1e-4


def _tensor(images: npt.NDArray[np.uint8]) -> torch.Tensor:
    """(n, h, w, 3) sRGB → (n, 3, h, w) around 0."""
    return torch.from_numpy(images).permute(0, 3, 1, 2).float().div_(127.5).sub_(1.0).contiguous()


def _targets(
    boxes: list[npt.NDArray[np.float32]], classes: int, height: int, width: int
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Heat maps (n, classes, h, w); (k, 3) integer image, row, column of each centre; (k, 4) offsets and log sizes."""
    heat = np.zeros((len(boxes), classes, height, width), dtype=np.float32)
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    places, values = [], []
    for n, image in enumerate(boxes):
        for x, y, w, h, kind in image / np.array([STRIDE] * 4 + [1], dtype=np.float32):
            cx, cy = x + w / 2, y + h / 2
            j, i = int(cx), int(cy)
            if not (0 <= i < height and 0 <= j < width):
                continue
            spread = 2 * (SIGMA * max(np.sqrt(w * h), 6.0)) ** 2
            blob = np.exp(-((rows - i) ** 2 + (columns - j) ** 2) / spread)
            np.maximum(heat[n, int(kind)], blob, out=heat[n, int(kind)])
            places.append((n, i, j))
            values.append((cx - j, cy - i, np.log(w), np.log(h)))
    at = torch.tensor(places, dtype=torch.long).reshape(-1, 3)
    return torch.from_numpy(heat), at, torch.tensor(values, dtype=torch.float32).reshape(-1, 4)


def _loss(out: torch.Tensor, boxes: list[npt.NDArray[np.float32]]) -> torch.Tensor:
    """CenterNet's focal loss of the heat maps, and L1 of offsets and log sizes at the centres, per object."""
    classes = out.shape[1] - 4
    heat, at, values = _targets(boxes, classes, out.shape[2], out.shape[3])
    logits = out[:, :classes]
    p = torch.sigmoid(logits).clamp(1e-5, 1 - 1e-5)
    positive = (heat == 1).float()
    focal = -positive * (1 - p) ** 2 * torch.log(p) - (1 - positive) * (1 - heat) ** 4 * p**2 * torch.log(1 - p)
    found = out[at[:, 0], classes:, at[:, 1], at[:, 2]]
    return (focal.sum() + (found - values).abs().sum()) / max(len(at), 1)


def train(
    draw: Callable[[np.random.Generator, int], Batch],
    classes: int,
    how: Training,
    seed: int,
    report: Callable[[int, CenterNet], None] | None = None,
) -> CenterNet:
    """A detector trained for `how.steps` steps with AdamW and one cycle of the learning rate.

    `draw(rng, n)` gives n images (n, h, w, 3) and, for each, boxes (k, 5): x, y, w, h in pixels and class from 0.
    `report(step, net)` is called after each tenth of the steps.
    """
    rng = np.random.default_rng(seed)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        net = CenterNet(classes).train()
    optimiser = torch.optim.AdamW(net.parameters(), how.rate, weight_decay=how.weight_decay)
    rate = torch.optim.lr_scheduler.OneCycleLR(optimiser, how.rate, how.steps, pct_start=0.15)
    for step in range(1, how.steps + 1):
        images, boxes = draw(rng, how.batch)
        loss = _loss(net(_tensor(images)), boxes)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 10.0)
        optimiser.step()
        rate.step()
        if report and step % max(how.steps // 10, 1) == 0:
            report(step, net)
    trained: CenterNet = net.eval()
    return trained


def detect(net: CenterNet, image: npt.NDArray[np.uint8], by_class: bool = True) -> npt.NDArray[np.float64]:
    """(k, 6) x, y, w, h, score, class of at most 100 peaks; one class at each place unless `by_class`."""
    height, width = image.shape[:2]
    padded = np.pad(image, ((0, -height % 16), (0, -width % 16), (0, 0)), mode="edge")
    with torch.no_grad():
        out = net(_tensor(padded[None]))[0]
    classes = out.shape[0] - 4
    heat = torch.sigmoid(out[:classes])
    kind = heat.argmax(0)
    if not by_class:
        heat = heat.amax(0, keepdim=True)
    # A die fills ten cells: peaks nearer than three cells to a higher one are the same die.
    peaks = heat * (functional.max_pool2d(heat[None], 5, 1, 2)[0] == heat)
    score, index = peaks.flatten().topk(MOST)
    c, i, j = np.unravel_index(index.numpy(), tuple(peaks.shape))
    dx, dy, w, h = out[classes:, i, j].double().numpy()
    w, h = np.exp(w) * STRIDE, np.exp(h) * STRIDE
    x, y = (j + dx) * STRIDE - w / 2, (i + dy) * STRIDE - h / 2
    return np.column_stack([x, y, w, h, score.double().numpy(), c if by_class else kind[i, j].numpy()])
