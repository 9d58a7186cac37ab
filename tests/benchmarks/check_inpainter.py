"""Is the embedded inpainter worth shipping? `check_inpainter.py --weights FOLDER --train PAIRS.npz --test PAIRS.npz`

Paints defects into the sound twins of renders with materials, panoramas and seeds that it never saw (`--test`; both
files by `train_inpainter.py --pack`), and compares with what was rendered there, beside two ways that need no model:
leaving the sound pixels, and filling the mask with noise of the crop's own mean and deviation in each channel. It is
told a tone, the mean colour change in the mask: once one that its kind had in training on a similar ground, drawn; once
that of what was rendered ("in its tone"), beside the sound pixels changed by that tone ("tinted").

Masked error: mean CIE76 ΔE in the mask from what was rendered. Texture: of each crop's mask the mean and deviation of
L*, a*, b*, the mean gradient and the mean Laplacian of L*; the Wasserstein distance between their distributions painted
and rendered, in deviations of the rendered ones, averaged over these numbers and over kinds. Kind: how often a small
classifier, trained on the rendered pairs of `--train`, names the kind; it sees the crop, how it differs from the sound
one, and the mask, so what it finds for sound pixels is what masks alone tell. Exit code 1 unless painting in a drawn
tone is better than sound pixels and noise in all three, and painting in the rendered one has a nearer texture than
tinted pixels, and kinds that are named more often. (Less error it need not have: grain that is right and lies elsewhere
costs more than none.)
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch
from defect_pairs import Pairs, read  # type: ignore[import-not-found]  # beside this script
from torch import nn
from train_inpainter import Crops  # type: ignore[import-not-found]  # beside this script

from scenewright.diffusion.inpainter import SIDE, STEPS, UNIT, Inpainter, normal, tone

Images = npt.NDArray[np.uint8]
Masks = npt.NDArray[np.bool_]
#: A kind with fewer test crops is left out of means over kinds.
FEWEST = 5


@dataclass(frozen=True)
class Cases:
    """Test crops, each about the middle of a defect: (n, 64, 64, 3) and masks; kinds by the net's numbers."""

    marred: Images
    sound: Images
    masks: Masks
    kinds: npt.NDArray[np.int64]
    severities: npt.NDArray[np.float32]


def cases(pairs: Pairs, kinds: tuple[str, ...], most: int) -> Cases:
    """At most so many defects of each kind, as they come."""
    found: list[tuple[Any, ...]] = []
    seen = dict.fromkeys(kinds, 0)
    for k, mask in enumerate(pairs.masks):
        name = pairs.kinds[pairs.kind[k]]
        if name not in seen or seen[name] >= most:
            continue
        seen[name] += 1
        rows, columns = np.nonzero(mask)
        marred, sound, inside = pairs.crop(k, int(rows[len(rows) // 2]), int(columns[len(columns) // 2]), SIDE)
        found.append((marred, sound, inside, kinds.index(name), pairs.severity[k]))
    marred, sound, masks, numbers, severities = zip(*found, strict=True)
    return Cases(np.stack(marred), np.stack(sound), np.stack(masks), np.array(numbers), np.array(severities))


def lab(image: Images) -> npt.NDArray[np.float32]:
    """(h, w, 3) CIELAB of sRGB."""
    return np.asarray(cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2Lab))


def error(images: Images, given: Cases) -> npt.NDArray[np.float64]:
    """(n,) mean ΔE in each mask."""
    pairs = zip(images, given.marred, given.masks, strict=True)
    return np.array([np.linalg.norm(lab(a)[m] - lab(b)[m], axis=1).mean() for a, b, m in pairs])


def textures(images: Images, masks: Masks) -> npt.NDArray[np.float64]:
    """(n, 8) numbers of each crop's texture in its mask."""
    out = []
    for image, mask in zip(images, masks, strict=True):
        value = lab(image)
        light = np.ascontiguousarray(value[..., 0])
        edges = np.hypot(cv2.Sobel(light, cv2.CV_32F, 1, 0), cv2.Sobel(light, cv2.CV_32F, 0, 1))
        fine = np.abs(cv2.Laplacian(light, cv2.CV_32F))
        inside = value[mask]
        out.append([*inside.mean(axis=0), *inside.std(axis=0), edges[mask].mean(), fine[mask].mean()])
    return np.array(out)


def apart(found: npt.NDArray[np.float64], due: npt.NDArray[np.float64]) -> float:
    """Mean over columns of the Wasserstein-1 distance between equally many numbers, in deviations of the second."""
    return float((np.abs(np.sort(found, axis=0) - np.sort(due, axis=0)).mean(axis=0) / (due.std(axis=0) + 1e-3)).mean())


def noise(given: Cases, rng: np.random.Generator) -> Images:
    """Sound crops, their masks filled with normal noise like the crop."""
    out = given.sound.copy()
    for image, mask in zip(out, given.masks, strict=True):
        mean, deviation = image.mean(axis=(0, 1)), image.std(axis=(0, 1))
        drawn = rng.normal(mean, deviation, (np.count_nonzero(mask), 3))
        image[mask] = np.clip(np.rint(drawn), 0, 255)
    return out


def classifier(pairs: Pairs, device: torch.device, steps: int) -> Callable[[Images, Cases], npt.NDArray[np.int64]]:
    """Trained to name the kinds of rendered defects; gives the numbers that it names."""
    torch.manual_seed(1)
    layers: list[nn.Module] = []
    for inputs, outputs in ((7, 32), (32, 64), (64, 96), (96, 128)):
        layers += [nn.Conv2d(inputs, outputs, 3, 1, 1), nn.GroupNorm(8, outputs), nn.ReLU(), nn.MaxPool2d(2)]
    net = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(128, len(pairs.kinds))).to(device)
    crops, generator = Crops(pairs, device), torch.Generator(device).manual_seed(1)
    optimiser = torch.optim.AdamW(net.parameters(), 2e-3, weight_decay=1e-2)
    plan = torch.optim.lr_scheduler.OneCycleLR(optimiser, 2e-3, steps)
    for _ in range(steps):
        marred, sound, masks, kinds, _ = crops.draw(generator, 96)
        loss = nn.functional.cross_entropy(net(seen(marred, sound, masks)), kinds)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        plan.step()
    print(f"classifier: loss {float(loss.detach()):.3f} after {steps} steps")
    net.eval()

    def named(images: Images, given: Cases) -> npt.NDArray[np.int64]:
        with torch.no_grad():
            both = (torch.from_numpy(a).permute(0, 3, 1, 2).to(device).float() / 255 for a in (images, given.sound))
            marred, sound = both
            logits = net(seen(marred, sound, torch.from_numpy(given.masks).to(device)))
        return np.asarray(logits.argmax(1).cpu().numpy())

    return named


def seen(marred: torch.Tensor, sound: torch.Tensor, masks: torch.Tensor) -> torch.Tensor:
    """What the classifier sees."""
    return torch.cat([normal(marred, sound), (marred - sound) / UNIT, masks[:, None].float()], 1)


def main() -> int:
    """Paint, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--train", type=Path, required=True)
    parser.add_argument("--test", type=Path, required=True)
    parser.add_argument("--most", type=int, default=40, help="test crops of each kind")
    parser.add_argument("--steps", type=int, default=STEPS, help="of painting")
    parser.add_argument("--classifier-steps", type=int, default=1500)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--sheet", type=Path, help="write a picture: sound, rendered, painted, mask of some crops")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    device = torch.device(args.device)
    model = Inpainter.load(args.weights)
    model.net.to(device)
    train, test = read(args.train), read(args.test)
    assert train.kinds == model.kinds, "the weights are of other kinds"
    given = cases(test, model.kinds, args.most)
    names = [model.kinds[k] for k in given.kinds]
    toned, painted = (paint(model, given, names, tones, args.steps) for tones in (
        tones_of(given), model.drawn_tones(np.random.default_rng(1), given.sound, given.masks, names)
    ))  # fmt: skip
    noisy = noise(given, np.random.default_rng(0))
    ways = {"painted": painted, "in its tone": toned, "tinted": tinted(given), "sound pixels": given.sound,
            "noise": noisy, "rendered": given.marred}  # fmt: skip
    named, due = classifier(train, device, args.classifier_steps), textures(given.marred, given.masks)
    scores: dict[str, dict[str, tuple[float, ...]]] = {}
    for way, images in ways.items():
        errors, numbers, kinds = error(images, given), textures(images, given.masks), named(images, given)
        scores[way] = {
            model.kinds[k]: (float(errors[w].mean()), apart(numbers[w], due[w]), float((kinds[w] == k).mean()), len(w))
            for k in np.unique(given.kinds) if len(w := np.flatnonzero(given.kinds == k)) >= FEWEST
        }  # fmt: skip
    means = {way: np.mean([v[:3] for v in by.values()], axis=0).tolist() for way, by in scores.items()}
    print(f"{'kind':12s} {'crops':>5s}  " + "  ".join(f"{way:>22s}" for way in ways) + "   (error, texture, kind)")
    for kind, values in scores["painted"].items():
        cells = ("{:7.2f} {:6.2f} {:6.2f} ".format(*scores[way][kind][:3]) for way in ways)
        print(f"{kind:12s} {values[3]:5.0f}  " + "  ".join(cells))
    print(f"{'mean':12s} {len(names):5d}  " + "  ".join("{:7.2f} {:6.2f} {:6.2f} ".format(*means[way]) for way in ways))
    if args.sheet is not None:
        cv2.imwrite(str(args.sheet), sheet(given, painted)[..., ::-1])
    if args.json is not None:
        args.json.write_text(json.dumps({"means": means, "kinds": scores}, indent=1) + "\n", "utf-8")
    plain = [means["sound pixels"], means["noise"]]
    good = all(means["painted"][k] < o[k] for o in plain for k in (0, 1))
    good &= all(means["painted"][2] > o[2] for o in plain)
    told, floor = means["in its tone"], means["tinted"]
    good &= told[1] < floor[1] and told[2] > floor[2]
    return 0 if good else 1


def tones_of(given: Cases) -> npt.NDArray[np.float32]:
    """(n, 3) the tones of what was rendered."""
    marred, sound = (torch.from_numpy(a).permute(0, 3, 1, 2).float() / 255 for a in (given.marred, given.sound))
    return np.asarray(tone(marred, sound, torch.from_numpy(given.masks)).numpy())


def paint(model: Inpainter, given: Cases, names: list[str], tones: npt.NDArray[np.float32], steps: int) -> Images:
    """All test crops painted, the n-th by seed n."""
    return model.crops(
        given.sound, given.masks, names, given.severities.tolist(), tones, range(len(names)), steps
    )  # fmt: skip


def tinted(given: Cases) -> Images:
    """Sound crops, each channel changed in the mask by as much as in what was rendered, on average."""
    by = 255 * UNIT * tones_of(given)[:, None, None] * given.masks[..., None]
    out: Images = np.clip(np.rint(given.sound + by), 0, 255).astype(np.uint8)
    return out


def sheet(given: Cases, painted: Images, each: int = 6) -> Images:
    """Rows of crops, a few of each kind, of sound, rendered, painted and mask below each other."""
    rows = []
    for k in np.unique(given.kinds):
        w = np.flatnonzero(given.kinds == k)[:each]
        masks = np.repeat(given.masks[w][..., None], 3, axis=3).astype(np.uint8) * 255
        columns = [np.hstack(list(a[w])) for a in (given.sound, given.marred, painted)] + [np.hstack(list(masks))]
        block = np.vstack(columns)
        rows.append(np.pad(block, ((0, 6), (0, SIDE * each - block.shape[1]), (0, 0))))
    half = (len(rows) + 1) // 2
    rows += [np.zeros_like(rows[0])] * (2 * half - len(rows))
    return np.hstack([np.vstack(rows[:half]), np.vstack(rows[half:])])


if __name__ == "__main__":
    sys.exit(main())
