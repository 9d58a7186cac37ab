"""The change map inside the denoising loop.

After each step the latents of what may not change yet are set back to those of the render, with as much noise as the
next step expects. A value v of the map, the mean over a latent's cell, is free in the last ⌊v · n⌋ of n executed steps,
after Levin and Fried, "Differential Diffusion: Giving Each Pixel Its Strength" (2023); so 0 never is, and 1 always.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt

__all__ = ["Hold", "cell_level", "generators", "originals"]

#: Which stream of a job's seed the noise of held latents is from; the pipeline's own is the seed itself.
HELD = 1


class Hold:
    """What a pipeline calls after each step: it holds back the latents that may not change yet, and counts the steps.

    Args:
        level: (n, cells) or (n, 1, rows, columns) the change map per latent, laid out as the latents are.
        original: the latents of the renders, None to count only.
        noise: as many random numbers.
    """

    def __init__(self, level: Any = None, original: Any = None, noise: Any = None) -> None:
        self.level, self.original, self.noise = level, original, noise
        self.steps = 0

    def __call__(self, pipeline: Any, step: int, timestep: Any, given: dict[str, Any]) -> dict[str, Any]:
        """The latents of a pipeline after its step `step`, as `callback_on_step_end` wants them."""
        import torch

        self.steps += 1
        if self.original is None:
            return {}
        latents = given["latents"]
        total = int(pipeline.num_timesteps)
        held = self.level < 1 - step / total - 1e-6
        kept = self._noised(pipeline.scheduler, total, step).to(latents.dtype)
        return {"latents": torch.where(held, kept, latents)}

    def _noised(self, scheduler: Any, total: int, step: int) -> Any:
        """The renders' latents as the next step expects them; after the last step they are clean."""
        if step + 1 >= total:
            return self.original
        following = scheduler.timesteps[len(scheduler.timesteps) - total + step + 1].reshape(1)
        if hasattr(scheduler, "scale_noise"):
            return scheduler.scale_noise(self.original, following, self.noise)
        return scheduler.add_noise(self.original, self.noise, following)


def generators(seeds: list[int], stream: int | None = None) -> list[Any]:
    """A generator on the CPU for each seed, so that an image does not depend on its neighbours or on the device."""
    import torch

    made = []
    for seed in seeds:
        drawn = seed if stream is None else int(np.random.SeedSequence((seed, stream)).generate_state(1, np.uint64)[0])
        made.append(torch.Generator("cpu").manual_seed(drawn & (2**63 - 1)))
    return made


def cell_level(level: npt.NDArray[np.float32], cell: int) -> npt.NDArray[np.float32]:
    """The mean of a change map (h, w) over cells of `cell` × `cell` pixels, which divide it."""
    h, w = level.shape
    return np.asarray(level.reshape(h // cell, cell, w // cell, cell).mean(axis=(1, 3)), np.float32)


def hold(
    pipeline: Any, layout: Literal["grid", "tokens"], pixels: Any, levels: list[npt.NDArray[np.float32]],
    seeds: list[int],
) -> Hold:  # fmt: skip
    """The `Hold` of a batch.

    Args:
        pipeline: whose latents are laid out as `layout` says (`families.Pipeline.latents`).
        pixels: (n, 3, h, w) tensor, 0 … 1.
        levels: n change maps (h, w).
        seeds: n seeds.
    """
    import torch

    plain = originals(pipeline, pixels)
    noise = torch.cat([
        torch.randn((1, *plain.shape[1:]), generator=g, dtype=torch.float32) for g in generators(seeds, HELD)
    ]).to(plain.device)  # fmt: skip
    patched = hasattr(pipeline.vae, "bn")  # FLUX.2 has its latents in patches before it makes tokens of them
    if layout == "grid":
        cells = [cell_level(level, level.shape[1] // plain.shape[3])[None] for level in levels]
    else:
        columns = plain.shape[3] if patched else plain.shape[3] // 2
        cells = [cell_level(level, level.shape[1] // columns).reshape(-1, 1) for level in levels]
        plain, noise = (_tokens(z, patched) for z in (plain, noise))
    return Hold(torch.from_numpy(np.stack(cells)).to(plain.device), plain, noise)


def originals(pipeline: Any, pixels: Any) -> Any:
    """Latents (n, c, rows, columns) float32 of pictures (n, 3, h, w), 0 … 1, as the pipeline's denoiser has them.

    One picture at a time, so that they do not depend on their neighbours; the most likely latents, not drawn ones.
    """
    import torch

    vae = pipeline.vae
    kept, config = vae.dtype, vae.config
    overflows = kept == torch.float16 and config.get("force_upcast")
    if overflows:  # the VAE of Stable Diffusion XL leaves the range of float16
        vae.to(dtype=torch.float32)
    x = (2 * pixels - 1).to(pipeline._execution_device, vae.dtype)
    if "z_dim" in config:  # that of Qwen-Image is one of videos
        x = x.unsqueeze(2)
    with torch.no_grad():
        z = torch.cat([vae.encode(x[k : k + 1]).latent_dist.mode() for k in range(len(x))])
    if overflows:
        vae.to(dtype=kept)
    return _scaled(pipeline, z.float())


def _scaled(pipeline: Any, z: Any) -> Any:
    """Latents of the VAE in the range that the denoiser was trained in."""
    import torch

    config = pipeline.vae.config
    if hasattr(pipeline.vae, "bn"):
        z = pipeline._patchify_latents(z)
        mean, variance = (s.float().view(1, -1, 1, 1) for s in (pipeline.vae.bn.running_mean,
                                                                pipeline.vae.bn.running_var))  # fmt: skip
        return (z - mean) / torch.sqrt(variance + config.batch_norm_eps)
    if "z_dim" in config:
        z = z[:, :, 0]
    mean, std = config.get("latents_mean"), config.get("latents_std")
    if mean is None or std is None:
        return (z - (config.get("shift_factor") or 0.0)) * config.scaling_factor
    mean, std = (torch.tensor(s, device=z.device).float().view(1, -1, 1, 1) for s in (mean, std))
    return (z - mean) / std * (1.0 if "z_dim" in config else config.scaling_factor)


def _tokens(z: Any, patched: bool) -> Any:
    """(n, c, rows, columns) → (n, tokens, channels): patches of 2 × 2, row by row, unless they are patches already."""
    n, c, rows, columns = z.shape
    if patched:
        return z.reshape(n, c, rows * columns).transpose(1, 2)
    z = z.view(n, c, rows // 2, 2, columns // 2, 2).permute(0, 2, 4, 1, 3, 5)
    return z.reshape(n, rows // 2 * (columns // 2), 4 * c)
