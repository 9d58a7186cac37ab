"""Pictures in, refined pictures out.

A job is one image. Jobs that agree in everything that a call has once are run in batches of one size, padded to sides
that the model takes. An image sits in the place of its index in that batch, whatever its neighbours are, and what would
be empty is filled; with a generator of its own it comes out the same alone, in company, and after a restart, on one
kind of device. Frozen pixels are the render's bytes, always.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import lcm
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import ModelError, UsageError
from .change_map import composite
from .jobs import Job, Refined, check, padded_size
from .latents import Hold, generators, hold
from .load import Model
from .quiet import quiet
from .steady import steady

__all__ = ["Refiner"]

#: Some pipelines insist on it, whatever their VAE.
EIGHT = 8

Picture = npt.NDArray[np.uint8]
Map = npt.NDArray[np.float32]


class Refiner:
    """Refines images with a loaded model, `batch` at a time."""

    def __init__(self, model: Model, batch: int = 1) -> None:
        if batch < 1:
            raise UsageError(f"a batch has at least 1 image, not {batch}")
        if batch > 1 and model.spec.alone:
            raise UsageError(f"{model.spec.name} takes one image at a time: leave the batch at 1")
        self.model, self.batch = model, batch

    def refine(self, jobs: Sequence[Job]) -> list[Refined]:
        """The refined images, in the order of the jobs.

        Raises:
            UsageError: a job asks for what cannot be done; nothing has been run then.
            ModelError: the model failed.
        """
        for job in jobs:
            check(job, self.model, self._multiple)
        done: dict[int, Refined] = {}
        for members in self._batches(jobs):
            first = next(iter(members.values()))
            filled = [jobs[members.get(place, first)] for place in range(self.batch)]
            made = self._run(filled)
            done |= {number: made[place] for place, number in members.items()}
        return [done[number] for number in range(len(jobs))]

    def _batches(self, jobs: Sequence[Job]) -> list[dict[int, int]]:
        """Batches as place → number of the job: each job in the place of its index, with its like."""
        batches: dict[Any, list[dict[int, int]]] = {}
        for number, job in enumerate(jobs):
            place = job.index % self.batch
            alike = batches.setdefault(self._key(job), [])
            free = next((b for b in alike if place not in b), None)
            if free is None:
                alike.append(free := {})
            free[place] = number
        return [batch for alike in batches.values() for batch in alike]

    def _key(self, job: Job) -> tuple[Any, ...]:
        """What all images of one call have in common."""
        texts = (job.prompt, job.negative_prompt) if self.model.family.ragged else (bool(job.negative_prompt),)
        return (
            padded_size(job.image, self._multiple),
            job.strength,
            job.steps,
            job.guidance,
            job.control_scale,
            texts,
        )

    @property
    def _multiple(self) -> int:
        """Sides of pictures must be multiples of this many pixels."""
        return lcm(EIGHT, int(self.model.pipeline.vae_scale_factor) * self.model.family.patch)

    def _run(self, jobs: list[Job]) -> list[Refined]:
        """Refine a full batch."""
        import torch

        size = padded_size(jobs[0].image, self._multiple)
        levels = [_padded(job.level, size) for job in jobs]
        with quiet(), steady(self.model.device, self.model.card.threads):
            hold_ = self._hold(jobs, levels, size)
            try:
                made = self.model.pipeline(**self._arguments(jobs, levels, size, hold_))
            except (RuntimeError, ValueError, TypeError, torch.OutOfMemoryError) as error:
                raise ModelError(f"{self.model.spec.name} failed on image {jobs[0].index}: {error}") from error
        flags = getattr(made, "nsfw_content_detected", None) or [False] * len(jobs)
        pictures = [_fitted(np.asarray(p, np.float32), size) for p in made.images]
        held = hold_.original is not None
        return [
            self._finished(job, picture, hold_.steps, held, bool(flag))
            for job, picture, flag in zip(jobs, pictures, flags, strict=True)
        ]

    def _hold(self, jobs: list[Job], levels: list[Map], size: tuple[int, int]) -> Hold:
        """The change map inside the loop, where the pipeline shows latents that one can set back."""
        layout, pipeline = self.model.spec.latents, self.model.pipeline
        if layout is None or getattr(pipeline.scheduler, "order", 1) != 1:
            return Hold()
        return hold(pipeline, layout, _tensor([j.image for j in jobs], size), levels, [j.seed for j in jobs])

    def _arguments(self, jobs: list[Job], levels: list[Map], size: tuple[int, int], hold_: Hold) -> dict[str, Any]:
        """What the pipeline is called with."""
        spec, first = self.model.spec, jobs[0]
        pictures = _tensor([j.image for j in jobs], size)
        free = [np.where(level > 0, np.uint8(255), np.uint8(0)) for level in levels]
        masks = _tensor(free, size)
        if spec.alone:
            pictures, masks = _pil(first.image, size), _pil(free[0], size)
        given: dict[str, Any] = {
            "prompt": first.prompt if spec.alone else [j.prompt for j in jobs], spec.image: pictures,
            "num_inference_steps": first.steps, spec.guidance: first.guidance, "output_type": "np",
            "generator": generators([j.seed for j in jobs]), "callback_on_step_end": hold_,
        }  # fmt: skip
        if "strength" in spec.knobs:
            given["strength"] = first.strength
        if "mask" in spec.knobs:
            given[spec.argument("mask")] = masks
        if first.negative_prompt or spec.guidance == "true_cfg_scale":
            texts = [j.negative_prompt or " " for j in jobs]
            given["negative_prompt"] = texts[0] if spec.alone else texts
            if spec.negative_guidance:
                del given[spec.guidance]
                given[spec.negative_guidance] = first.guidance
        if spec.controlnet:
            scales = [first.control_scale] * max(len(first.control), 1)
            given["controlnet_conditioning_scale"] = scales if len(scales) > 1 else scales[0]
        if first.control:
            nets = [_tensor([j.control[k] for j in jobs], size) for k in range(len(first.control))]
            given[spec.argument("control")] = nets if len(nets) > 1 else nets[0]
        if self.model.reference is not None:
            given[spec.argument("ip_adapter")] = [_pil(self.model.reference)]
        return given | self._sizes(size)

    def _sizes(self, size: tuple[int, int]) -> dict[str, Any]:
        """Height and width, for pipelines that would take a size of their own otherwise."""
        from inspect import signature

        taken = signature(type(self.model.pipeline).__call__).parameters
        if self.model.spec.settles_size:
            return {}
        sizes = {"height": size[0], "width": size[1], "max_area": size[0] * size[1], "_auto_resize": False}
        return {name: value for name, value in sizes.items() if name in taken}

    def _finished(self, job: Job, picture: Map, steps: int, held: bool, flagged: bool) -> Refined:
        """Crop, round and composite one picture (h, w, 3), 0 … 1."""
        if not np.isfinite(picture).all():
            raise ModelError(
                f"{self.model.spec.name} made numbers that are none of image {job.index}. Its precision is "
                f"{self.model.card.precision}, and float16 is too short for some models: try bfloat16 or float32, or "
                "another seed"
            )
        if flagged:
            return Refined(job.image, steps, held, True)
        h, w = job.level.shape
        refined = np.rint(picture[:h, :w].clip(0, 1) * 255).astype(np.uint8)
        return Refined(composite(job.image, refined, job.level, mixed=not held), steps, held)


def _padded(image: npt.NDArray[Any], size: tuple[int, int]) -> npt.NDArray[Any]:
    """An image mirrored beyond its lower and right border up to a size."""
    more = [(0, size[0] - image.shape[0]), (0, size[1] - image.shape[1])]
    return np.pad(image, [*more, (0, 0)][: image.ndim], mode="symmetric")


def _tensor(images: Sequence[Picture], size: tuple[int, int]) -> Any:
    """(n, c, h, w) float32 tensor, 0 … 1, of pictures, or of masks with one channel."""
    import torch

    stacked = np.stack([_padded(i, size) for i in images])
    stacked = stacked[..., None] if stacked.ndim == 3 else stacked
    return torch.from_numpy(stacked.transpose(0, 3, 1, 2).astype(np.float32) / 255)


def _pil(image: Picture, size: tuple[int, int] | None = None) -> Any:
    """A picture as Pillow has it, padded to a size."""
    from PIL import Image

    return Image.fromarray(_padded(image, size) if size else image)


def _fitted(picture: Map, size: tuple[int, int]) -> Map:
    """A picture of a model that settled its size, at the size that it was given."""
    import cv2

    if picture.shape[:2] == size:
        return picture
    way = cv2.INTER_AREA if picture.shape[0] > size[0] else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(picture, (size[1], size[0]), interpolation=way), np.float32)
