"""The families of diffusion models that refinement knows: real classes of diffusers, and what each of them can do.

A family is what `_class_name` in a model's `model_index.json` says; it has one or more pipelines, the plainest first.
A *knob* is something that a user may ask for; a pipeline has it when its `__call__` takes the argument named here
(`lora` and `ip_adapter` are methods and components as well). What diffusers really has is compared with this table by
a test, so that a new release of diffusers cannot make it wrong unnoticed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal, get_args

from ..errors import ModelError, UsageError

__all__ = ["FAMILIES", "KNOBS", "Family", "Knob", "Pipeline", "choose", "family_of", "with_knobs"]

#: `strength` is the share of the noise that is added; `control` a picture of depth, normals, edges or segments;
#: `mask` where the model itself may change the picture (the change map is applied whatever the model).
Knob = Literal["strength", "control", "mask", "negative_prompt", "lora", "ip_adapter"]
KNOBS: tuple[Knob, ...] = get_args(Knob)

#: Knob → argument of `__call__`, unless a pipeline says otherwise.
_USUAL: Mapping[Knob, str] = MappingProxyType({
    "strength": "strength", "control": "control_image", "mask": "mask_image", "negative_prompt": "negative_prompt",
    "ip_adapter": "ip_adapter_image",
})  # fmt: skip


@dataclass(frozen=True)
class Pipeline:
    """One class of diffusers.

    Attributes:
        name: the class, as `diffusers` exports it.
        knobs: what it can do.
        controlnet: it needs a ControlNet beside the model. It has `control` then, unless that ControlNet was trained
            to see nothing but the picture itself.
        image: the argument that takes the picture to be refined.
        arguments: knob → argument, where it is not the usual one.
        guidance: the argument that takes the guidance scale; a true one works against a negative prompt alone, so
            that a blank one is given where there is none.
        negative_guidance: the argument that takes it instead when there is a negative prompt, or None for the same:
            a model whose guidance is distilled has a second, true one, and its negative prompt needs that.
        alone: a list of pictures means several references for one result, so that only one fits in a call.
        settles_size: it works at a size of its own, about one megapixel, whatever it is given.
        most_px: pictures with more pixels would be shrunk, unasked.
        latents: how the latents that it shows to a callback after each step are laid out, "grid" (n, c, h, w) or
            "tokens" (n, h·w, c) of 2 × 2 patches; None where the change map cannot be applied inside its loop.
    """

    name: str
    knobs: frozenset[Knob]
    controlnet: bool = False
    image: str = "image"
    arguments: Mapping[Knob, str] = field(default_factory=dict)
    guidance: str = "guidance_scale"
    negative_guidance: str | None = None
    alone: bool = False
    settles_size: bool = False
    most_px: int | None = None
    latents: Literal["grid", "tokens"] | None = None

    def argument(self, knob: Knob) -> str:
        """The argument of `__call__` that this knob sets; there is none for LoRA, which is loaded."""
        return self.arguments.get(knob) or _USUAL[knob]


@dataclass(frozen=True)
class Family:
    """Models that share their components, and so their pipelines.

    Attributes:
        name: what users and records call it.
        title: what it is called elsewhere.
        classes: the `_class_name`s in `model_index.json` that mean it.
        pipelines: what refines with it, the plainest first.
        controlnet: the class of its ControlNets, or None where it has none.
        patch: sides of a picture must be multiples of this many cells of the VAE.
        precision: what its weights are held in on a GPU.
        ragged: prompts are padded to the longest of a batch, so that only equal prompts may share one.
        also: what its components import beside the extra `diffusion`.
        denoiser: the component that does the work, and is compiled or stored in fewer bits when that is asked for.
    """

    name: str
    title: str
    classes: tuple[str, ...]
    pipelines: tuple[Pipeline, ...]
    controlnet: str | None = None
    patch: int = 2
    precision: Literal["float16", "bfloat16"] = "bfloat16"
    ragged: bool = False
    also: tuple[str, ...] = ()
    denoiser: Literal["unet", "transformer"] = "transformer"

    @property
    def knobs(self) -> frozenset[Knob]:
        """What any of its pipelines can do."""
        return frozenset().union(*(p.knobs for p in self.pipelines))


def _knobs(*knobs: Knob) -> frozenset[Knob]:
    return frozenset(knobs)


_STABLE = _knobs("strength", "negative_prompt", "lora", "ip_adapter")


def _stable(stem: str, control: bool, mask: bool) -> Pipeline:
    """A pipeline of Stable Diffusion 1.5 or XL: their four classes differ in nothing but control and mask."""
    name = f"{stem}{'ControlNet' if control else ''}{'Inpaint' if mask else 'Img2Img'}Pipeline"
    knobs = _STABLE | (_knobs("control") if control else _knobs()) | (_knobs("mask") if mask else _knobs())
    return Pipeline(name, knobs, controlnet=control, latents="grid")


def _stable_families(stem: str, name: str, title: str) -> tuple[Family, Family]:
    """The family of a Stable Diffusion with a U-Net, and that of its checkpoints made for inpainting."""
    kinds = [(control, mask) for mask in (False, True) for control in (False, True)]
    plain = tuple(_stable(stem, *kind) for kind in kinds)
    named = ("", "Img2Img", "ControlNet", "ControlNetImg2Img")
    common: dict[str, Any] = {
        "controlnet": "ControlNetModel", "patch": 1, "precision": "float16", "denoiser": "unet",
    }  # fmt: skip
    return (
        Family(name, title, tuple(f"{stem}{n}Pipeline" for n in named), plain, **common),
        Family(f"{name}-inpaint", f"{title} for inpainting",
               tuple(f"{stem}{n}InpaintPipeline" for n in ("", "ControlNet")), plain[2:], **common),
    )  # fmt: skip


def _sd35() -> Family:
    return Family(
        "sd35", "Stable Diffusion 3 and 3.5",
        ("StableDiffusion3Pipeline", "StableDiffusion3Img2ImgPipeline", "StableDiffusion3InpaintPipeline"),
        (
            Pipeline("StableDiffusion3Img2ImgPipeline", _STABLE, latents="grid"),
            Pipeline("StableDiffusion3InpaintPipeline", _STABLE | {"mask"}, latents="grid"),
        ),
    )  # fmt: skip


def _flux1() -> tuple[Family, ...]:
    true: dict[str, Any] = {"latents": "tokens", "negative_guidance": "true_cfg_scale"}
    control = _knobs("strength", "control", "lora")
    return (
        Family(
            "flux1", "FLUX.1", ("FluxPipeline", "FluxImg2ImgPipeline", "FluxInpaintPipeline", "FluxControlNetPipeline"),
            (
                Pipeline("FluxImg2ImgPipeline", _STABLE, **true),
                Pipeline("FluxControlNetImg2ImgPipeline", control, controlnet=True, latents="tokens"),
                Pipeline("FluxInpaintPipeline", _STABLE | {"mask"}, **true),
                Pipeline("FluxControlNetInpaintPipeline", control | {"mask"}, controlnet=True, latents="tokens"),
            ), controlnet="FluxControlNetModel",
        ),
        Family("flux1-fill", "FLUX.1 Fill", ("FluxFillPipeline",),
               (Pipeline("FluxFillPipeline", _knobs("strength", "mask", "lora"), latents="tokens"),)),
        Family("flux1-kontext", "FLUX.1 Kontext", ("FluxKontextPipeline", "FluxKontextInpaintPipeline"),
               (Pipeline("FluxKontextInpaintPipeline", _STABLE | {"mask"}, **true),)),
    )  # fmt: skip


def _flux2() -> Family:
    return Family(
        "flux2-klein", "FLUX.2 Klein", ("Flux2KleinPipeline", "Flux2KleinInpaintPipeline"),
        (
            Pipeline("Flux2KleinPipeline", _knobs("lora"), alone=True, most_px=1 << 20, latents="tokens"),
            Pipeline("Flux2KleinInpaintPipeline", _knobs("strength", "mask", "lora"), most_px=1 << 20,
                     latents="tokens"),
        ),
    )  # fmt: skip


def _qwen() -> tuple[Family, ...]:
    knobs = _knobs("negative_prompt", "lora")
    true: dict[str, Any] = {"guidance": "true_cfg_scale"}
    edit: dict[str, Any] = {**true, "alone": True, "settles_size": True}
    return (
        Family(
            "qwen-image", "Qwen-Image", ("QwenImagePipeline", "QwenImageImg2ImgPipeline", "QwenImageInpaintPipeline",
                                         "QwenImageControlNetPipeline", "QwenImageControlNetInpaintPipeline"),
            (
                Pipeline("QwenImageImg2ImgPipeline", knobs | {"strength"}, latents="tokens", **true),
                Pipeline("QwenImageInpaintPipeline", knobs | {"strength", "mask"}, latents="tokens", **true),
                # Its ControlNet sees the picture itself, with a hole.
                Pipeline("QwenImageControlNetInpaintPipeline", knobs | {"mask"}, controlnet=True,
                         image="control_image", arguments={"mask": "control_mask"}, latents="tokens", **true),
            ), controlnet="QwenImageControlNetModel", ragged=True,
        ),
        Family(
            "qwen-image-edit", "Qwen-Image-Edit", ("QwenImageEditPipeline", "QwenImageEditInpaintPipeline"),
            (
                Pipeline("QwenImageEditPipeline", knobs, **edit),
                Pipeline("QwenImageEditInpaintPipeline", knobs | {"strength", "mask"}, **edit),
            ), ragged=True, also=("torchvision",),
        ),
        Family("qwen-image-edit-plus", "Qwen-Image-Edit Plus (2509 and later)", ("QwenImageEditPlusPipeline",),
               (Pipeline("QwenImageEditPlusPipeline", knobs, **edit),), ragged=True, also=("torchvision",)),
    )  # fmt: skip


def _z_image() -> Family:
    knobs = _knobs("negative_prompt", "lora")
    return Family(
        "z-image", "Z-Image", ("ZImagePipeline", "ZImageImg2ImgPipeline", "ZImageInpaintPipeline",
                               "ZImageControlNetPipeline", "ZImageControlNetInpaintPipeline"),
        (
            Pipeline("ZImageImg2ImgPipeline", knobs | {"strength"}, latents="grid"),
            Pipeline("ZImageInpaintPipeline", knobs | {"strength", "mask"}, latents="grid"),
            Pipeline("ZImageControlNetInpaintPipeline", knobs | {"control", "mask"}, controlnet=True, latents="grid"),
        ), controlnet="ZImageControlNetModel", ragged=True,
    )  # fmt: skip


#: Name → family.
FAMILIES: Mapping[str, Family] = MappingProxyType({
    family.name: family for family in (
        *_stable_families("StableDiffusion", "sd15", "Stable Diffusion 1.5"),
        *_stable_families("StableDiffusionXL", "sdxl", "Stable Diffusion XL"),
        _sd35(), *_flux1(), _flux2(), *_qwen(), _z_image(),
    )
})  # fmt: skip


def family_of(index: Mapping[str, Any], where: str) -> Family:
    """The family that a parsed `model_index.json` is of; `where` names the model in the ModelError for an unknown."""
    name = index.get("_class_name")
    for family in FAMILIES.values():
        if name in family.classes:
            return family
    known = "; ".join(f"{f.title} ({', '.join(f.classes)})" for f in FAMILIES.values())
    raise ModelError(f"{where} is a {name!r}, which is of no family known here. Bring one of: {known}")


def with_knobs(knobs: Iterable[Knob], controlnet: bool = False) -> list[str]:
    """Names of the families that have one pipeline with all of these knobs, with a ControlNet or without."""
    asked = frozenset(knobs)
    return [
        f.name for f in FAMILIES.values() if any(asked <= p.knobs and p.controlnet == controlnet for p in f.pipelines)
    ]


def choose(family: Family, knobs: Iterable[Knob], controlnet: bool = False) -> Pipeline:
    """The plainest pipeline of a family with all of these knobs; UsageError names the families that have them.

    `controlnet` says whether there is a ControlNet to use. A mask needs nothing, since there always is a change map.
    """
    asked = frozenset(knobs)
    if "control" in asked and not controlnet:
        raise UsageError("control pictures need a ControlNet of the same family: name one, or ask for no control")
    for pipeline in family.pipelines:
        if asked <= pipeline.knobs and controlnet == pipeline.controlnet:
            return pipeline
    if controlnet and not any(p.controlnet for p in family.pipelines):
        others = ", ".join(f.name for f in FAMILIES.values() if any(p.controlnet for p in f.pipelines))
        raise UsageError(f"{family.title} works without a ControlNet. Leave it out, or bring a model of: {others}")
    lacking = sorted(asked - family.knobs)
    said = f"no {' and no '.join(lacking)}" if lacking else f"no pipeline with {' and '.join(sorted(asked))} together"
    said += " beside a ControlNet" if controlnet and not lacking else ""
    others = ", ".join(with_knobs(lacking or asked, controlnet)) or "none"
    raise UsageError(f"{family.title} has {said}. Leave that out, or bring a model of a family that has it: {others}")
