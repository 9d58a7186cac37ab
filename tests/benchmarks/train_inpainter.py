"""Trains the embedded inpainter on renders and their sound twins: `train_inpainter.py --data PAIRS.npz --out FOLDER`

`--pack DATASET` first writes the pairs of a dataset with twins (recipe `surface`, `defects.twins: true`) to `--data`;
what follows needs torch, diffusers and numpy alone, so it can run on a machine that has only those. Training stops
after `--steps`, or after `--minutes` by the wall clock, whichever comes first; the learning rate follows the share of
either that is spent. The weights that are written are the running mean of those of the steps, in 16 bits.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from defect_pairs import Pairs, pack, read  # type: ignore[import-not-found]  # beside this script

from scenewright.diffusion.inpainter import SIDE, Inpainter, conditions, network, normal, scheduler, tone

#: Pixels of each mask that crops are drawn about, and how far from them the middle of a crop may lie.
PLACES, JITTER = 512, 20
#: What a pixel outside the mask counts of one inside.
OUTSIDE = 0.02
#: A crop's mask counts as if it had so many pixels more: the loss of a mask of three pixels is mostly chance.
STEADY_PX = 40.0
#: Tones that are kept of each kind.
TONES = 96
#: Kind "any" in so many crops.
ANY = 0.1


@dataclass(frozen=True)
class Crops:
    """All pairs on a device, and crops of them."""

    pairs: Pairs
    device: torch.device

    def __post_init__(self) -> None:
        rng, p = np.random.default_rng(0), self.pairs
        places = np.empty((len(p.masks), PLACES, 2), np.int64)
        for k, mask in enumerate(p.masks):
            at = np.argwhere(mask)
            places[k] = at[rng.integers(len(at), size=PLACES)]
        counts = np.bincount(p.kind, minlength=len(p.kinds))
        tensors = {
            "marred": torch.from_numpy(p.marred), "sound": torch.from_numpy(p.sound),
            "masks": torch.from_numpy(p.masks), "image": torch.from_numpy(p.image), "kind": torch.from_numpy(p.kind),
            "severity": torch.from_numpy(p.severity), "places": torch.from_numpy(places),
            # Rare kinds come more often than they are, but not as often as common ones: they would be learned by heart.
            "weights": torch.from_numpy(1 / np.sqrt(counts[p.kind])),
        }  # fmt: skip
        for name, tensor in tensors.items():
            object.__setattr__(self, name, tensor.to(self.device))

    def draw(self, generator: torch.Generator, count: int, mixed: bool = False) -> tuple[torch.Tensor, ...]:
        """Marred and sound crops (n, 3, 64, 64) 0 … 1, masks (n, 64, 64), kinds and severities (n,).

        `mixed` has half of them in colours of other materials: with channels in another order.
        """
        own: Any = self
        n = torch.multinomial(own.weights, count, replacement=True, generator=generator)
        at = own.places[n, torch.randint(PLACES, (count,), generator=generator, device=self.device)]
        at = at + torch.randint(-JITTER, JITTER + 1, (count, 2), generator=generator, device=self.device) - SIDE // 2
        h, w = self.pairs.masks.shape[1:]
        span = torch.arange(SIDE, device=self.device)
        rows = at[:, 0].clamp(0, h - SIDE)[:, None] + span
        columns = at[:, 1].clamp(0, w - SIDE)[:, None] + span
        there = rows[:, :, None], columns[:, None, :]
        image = own.image[n][:, None, None]
        marred, sound = (a[(image, *there)].permute(0, 3, 1, 2).float() / 255 for a in (own.marred, own.sound))
        masks = own.masks[(n[:, None, None], *there)]
        wide = torch.nn.functional.max_pool2d(masks[:, None].float(), 7, 1, 3) > 0
        sound = torch.where(wide, sound, marred)
        if mixed and torch.rand((1,), generator=generator, device=self.device) < 0.5:
            order = torch.randperm(3, generator=generator, device=self.device)
            marred, sound = marred[:, order], sound[:, order]
        gain = 1 + 0.25 * (2 * torch.rand((count, 1, 1, 1), generator=generator, device=self.device) - 1)
        tint = 1 + 0.1 * (2 * torch.rand((count, 3, 1, 1), generator=generator, device=self.device) - 1)
        turns, mirror = (int(torch.randint(k, (1,), generator=generator, device=self.device)) for k in (4, 2))

        def turned(x: torch.Tensor) -> torch.Tensor:
            x = torch.rot90(x, turns, (-2, -1))
            return x.flip(-1) if mirror else x

        marred, sound = (turned((a * gain * tint).clamp(0, 1)) for a in (marred, sound))
        return marred, sound, turned(masks), own.kind[n], own.severity[n]


def loss_of(net: Any, plan: Any, crops: tuple[torch.Tensor, ...], generator: torch.Generator, any_kind: int) -> Any:
    """Mean squared error of the velocity, mostly inside the masks."""
    marred, sound, masks, kinds, severities = crops
    device, n = marred.device, len(marred)
    clear = normal(marred, sound)
    noise = torch.randn(clear.shape, generator=generator, device=device)
    times = torch.randint(plan.config.num_train_timesteps, (n,), generator=generator, device=device)
    unknown = torch.rand((n,), generator=generator, device=device) < ANY
    labels = torch.where(unknown, torch.full_like(kinds, any_kind), kinds)
    noisy, due = plan.add_noise(clear, noise, times), plan.get_velocity(clear, noise, times)
    with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
        given = torch.cat([noisy, conditions(sound, masks, severities, tone(marred, sound, masks))], 1)
        found = net(given, times, class_labels=labels).sample
    weights = OUTSIDE + (1 - OUTSIDE) * masks[:, None].float()
    apart = ((found.float() - due) ** 2 * weights).mean(1).sum((1, 2))
    return (apart / (weights.sum((1, 2, 3)) + STEADY_PX)).mean()


def fit(pairs: Pairs, args: argparse.Namespace) -> Any:
    """A trained net: the mean of its weights over the last steps."""
    device = torch.device(args.device)
    torch.manual_seed(args.seed)
    net = network(len(pairs.kinds)) if args.start is None else Inpainter.load(args.start).net.train()
    net = net.to(device, memory_format=torch.channels_last)
    mean = deepcopy(net).eval()
    generator = torch.Generator(device).manual_seed(args.seed)
    plan, crops = scheduler(), Crops(pairs, device)
    optimiser = torch.optim.AdamW(net.parameters(), args.rate, weight_decay=0.01, betas=(0.9, 0.99))
    print(f"{sum(p.numel() for p in net.parameters()):,} parameters, {len(pairs.masks)} defects", flush=True)
    losses = []
    for step, spent in steps(args):
        warm = min(1.0, step / 500)
        for group in optimiser.param_groups:
            group["lr"] = args.rate * warm * max(0.02, float(np.cos(spent * np.pi / 2)))
        loss = loss_of(net, plan, crops.draw(generator, args.batch, mixed=True), generator, len(pairs.kinds))
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
        keep = min(0.9995, (step + 1) / (step + 20))
        with torch.no_grad():
            torch._foreach_lerp_(list(mean.parameters()), list(net.parameters()), 1 - keep)
        losses.append(loss.detach())
        if step % 250 == 0:
            print(f"step {step}: loss {float(torch.stack(losses).mean()):.4f}, {spent:.0%}", flush=True)
            losses.clear()
    return mean


def tones(pairs: Pairs) -> dict[str, list[list[float]]]:
    """Ground and tone (`Inpainter.tones`) of at most `TONES` defects of each kind, as they come."""
    out: dict[str, list[list[float]]] = {kind: [] for kind in pairs.kinds}
    for mask, image, kind in zip(pairs.masks, pairs.image, pairs.kind, strict=True):
        there = out[pairs.kinds[kind]]
        if len(there) < TONES:
            one, other = (torch.from_numpy(a[image]).permute(2, 0, 1)[None] / 255 for a in (pairs.marred, pairs.sound))
            ground = pairs.sound[image][mask].mean(axis=0) / 255
            there.append([round(float(x), 3) for x in (*ground, *tone(one, other, torch.from_numpy(mask)[None])[0])])
    return out


def steps(args: argparse.Namespace) -> Iterator[tuple[int, float]]:
    """Numbers of steps from 1 on, each with the share of the work that is done."""
    start, step = time.monotonic(), 0
    while True:
        spent = max(step / args.steps, (time.monotonic() - start) / (60 * args.minutes))
        if spent >= 1:
            print(f"{step} steps in {(time.monotonic() - start) / 60:.1f} minutes", flush=True)
            return
        step += 1
        yield step, spent


def main() -> int:
    """Pack, fit, save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pack", type=Path, help="a dataset with twins, to make --data of")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, help="folder for the weights; without it nothing is trained")
    parser.add_argument("--start", type=Path, help="go on from these weights")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--steps", type=int, default=20_000)
    parser.add_argument("--minutes", type=float, default=1e9)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--rate", type=float, default=3e-4)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    if args.pack is not None:
        pack(args.pack, args.data)
    if args.out is None:
        return 0
    pairs = read(args.data)
    net = fit(pairs, args)
    net.to(memory_format=torch.contiguous_format).half().save_pretrained(args.out, safe_serialization=True)
    (args.out / "kinds.json").write_text(json.dumps(tones(pairs)) + "\n", "utf-8")
    print(json.dumps({p.name: p.stat().st_size for p in sorted(args.out.iterdir())}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
