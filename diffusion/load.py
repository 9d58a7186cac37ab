"""A user's model, loaded: the pipeline, and the card that says all that decides what it makes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..assets.files import remember
from ..errors import ModelError, UsageError
from . import sources
from .card import UNKNOWN, ModelCard, Part, checked_license, libraries, settings
from .families import Family, Knob, Pipeline, choose, family_of
from .placing import Placing, device_name, place, precision_of, threads_of
from .quiet import quiet
from .sources import Source

__all__ = ["IPAdapter", "LoRA", "Model", "Request", "load"]

#: The component that blanks pictures it holds to be unsafe; only Stable Diffusion 1.5 has one.
CHECKER = "safety_checker"


@dataclass(frozen=True)
class LoRA:
    """A LoRA: a .safetensors file, and how strongly it acts."""

    path: str
    scale: float = 1.0


@dataclass(frozen=True)
class IPAdapter:
    """An IP-Adapter: a .safetensors file with the folder `image_encoder` beside it, and a picture file to be alike."""

    path: str
    image: str
    scale: float = 0.6


@dataclass(frozen=True)
class Request:
    """What is to be loaded, and what for.

    Attributes:
        model: a folder in diffusers' layout, or `owner/name@revision` on the hub.
        license: of the model and of what is loaded beside it, as their cards state it, or "unknown".
        training_data: what is stated about what it was trained on.
        knobs: what the pipeline must be able to do; `control`, `lora` and `ip_adapter` follow from what is named below.
        controlnets: ControlNets of the same family, in the order of the control pictures that each job brings.
        picture_control: the ControlNet is to see the picture itself and no control pictures.
        loras: LoRAs, all active.
        ip_adapter: an IP-Adapter, with its picture.
        variant: which set of weights, such as "fp16", where the model has several.
        safety_checker: load the checker of Stable Diffusion 1.5. It blanks what it dislikes, and pictures of machine
            parts are no exception: a flagged image keeps its render, and says so.
        placing: device, precision and memory.
    """

    model: str
    license: str | None
    training_data: str = UNKNOWN
    knobs: frozenset[Knob] = frozenset({"strength"})
    controlnets: tuple[str, ...] = ()
    picture_control: bool = False
    loras: tuple[LoRA, ...] = ()
    ip_adapter: IPAdapter | None = None
    variant: str | None = None
    safety_checker: bool = False
    placing: Placing = field(default_factory=Placing)

    @property
    def needed(self) -> frozenset[Knob]:
        """All knobs that the pipeline must have."""
        implied: dict[Knob, bool] = {
            "control": bool(self.controlnets) and not self.picture_control, "lora": bool(self.loras),
            "ip_adapter": self.ip_adapter is not None,
        }  # fmt: skip
        return self.knobs | {knob for knob, is_needed in implied.items() if is_needed}


@dataclass(frozen=True)
class Model:
    """A loaded model: the pipeline of diffusers, what it can do, and what is to be recorded of it."""

    pipeline: Any
    family: Family
    spec: Pipeline
    card: ModelCard
    device: str
    reference: npt.NDArray[np.uint8] | None = None


def load(request: Request) -> Model:
    """Load a model for refinement.

    Raises:
        UsageError: its licence is not stated, it is not pinned, or its family lacks something that is asked for.
        ModelError: it is refused (pickles, code of its own, an unknown family), or diffusers cannot load it.
    """
    checked_license(request.license)
    _need_libraries()
    with _loading(request.model):
        source = sources.locate(request.model, sources.INDEX, request.variant)
        index = sources.read_json(source.folder / sources.INDEX)
        sources.refuse_code(index, str(source.folder))
        family = family_of(index, request.model)
        _need_also(family)
        spec = choose(family, request.needed, bool(request.controlnets))
        parts = sources.components(index)
        sources.refuse_pickles(source.folder, parts)
        controlnets = _controlnet_sources(request)
        pipeline = _assemble(request, family, spec, source, controlnets)
        loras = _add_loras(pipeline, request.loras)
        adapter = _add_adapter(pipeline, family, request.ip_adapter) if request.ip_adapter else None
        device = place(pipeline, getattr(pipeline, family.denoiser), request.placing)
    card = _card(
        request, family, pipeline, device, model=_part(source, parts), loras=loras, ip_adapter=adapter,
        controlnets=tuple(_part(s, ("",)) for s in controlnets),
    )  # fmt: skip
    shown = _picture(request.ip_adapter.image) if request.ip_adapter else None
    return Model(pipeline, family, spec, card, device, shown)


def _card(request: Request, family: Family, pipeline: Any, device: str, **parts: Any) -> ModelCard:
    """The card of a pipeline that is in its place; `parts` are what it was loaded from."""
    license, notes = checked_license(request.license)
    training_data = request.training_data.strip() or UNKNOWN
    if training_data.lower() == UNKNOWN:
        training_data, notes = UNKNOWN, (*notes, "what the model was trained on is unknown")
    placing = request.placing
    return ModelCard(
        **parts, family=family.name, pipeline=type(pipeline).__name__, license=license, training_data=training_data,
        scheduler=type(pipeline.scheduler).__name__, scheduler_config=settings(pipeline.scheduler),
        precision=precision_of(family, placing), quantised=placing.quantise, device=device_name(device),
        threads=threads_of(placing), offload=placing.offload,
        vae_tiling=placing.vae_tiling, vae_slicing=placing.vae_slicing, compiled=placing.compiled,
        variant=request.variant, safety_checker=request.safety_checker, versions=libraries(), notes=notes,
    )  # fmt: skip


def _need_libraries() -> None:
    """UsageError that says what to install, before anything half works."""
    try:
        import accelerate  # noqa: F401  # these are asked for, not used
        import diffusers  # noqa: F401
        import peft  # noqa: F401
        import torch  # noqa: F401
        import transformers  # noqa: F401
    except ImportError as error:
        raise UsageError(
            f"the diffusion stage needs {error.name or error}: pip install 'scenewright[diffusion]', with the build "
            "of torch for your GPU"
        ) from error


def _need_also(family: Family) -> None:
    """UsageError when a family's own components would fail to import; torchvision does so with a wrong build too."""
    for name in family.also:
        try:
            import_module(name)
        except (ImportError, RuntimeError) as error:
            raise UsageError(
                f"{family.title} needs {name} too, in the build that goes with your torch: pip install {name}. {error}"
            ) from error


def _controlnet_sources(request: Request) -> list[Source]:
    found = [sources.locate(name, "config.json", request.variant) for name in request.controlnets]
    for source in found:
        sources.refuse_pickles(source.folder)
    return found


def _assemble(request: Request, family: Family, spec: Pipeline, source: Source, controlnets: list[Source]) -> Any:
    """The pipeline, on the CPU, made of what lies in these folders and of nothing else."""
    import diffusers
    import torch

    dtype = getattr(torch, precision_of(family, request.placing))
    how: dict[str, Any] = {"dtype": dtype, "use_safetensors": True, "local_files_only": True}
    index = sources.read_json(source.folder / sources.INDEX)
    accepted = getattr(diffusers, spec.name)
    modules, settings = accepted._get_signature_keys(accepted)
    # A part that the folder says it has not, such as the T5 of Stable Diffusion 3.5, is none here either.
    extra: dict[str, Any] = {name: None for name in modules if index.get(name) == [None, None]}
    if controlnets:
        kind = getattr(diffusers, str(family.controlnet))
        nets = [kind.from_pretrained(s.folder, **how) for s in controlnets]
        extra["controlnet"] = nets[0] if len(nets) == 1 else nets
    has_checker = CHECKER in sources.components(index)
    if request.safety_checker and not has_checker:
        raise UsageError(f"{request.model} has no safety checker to load; only Stable Diffusion 1.5 comes with one")
    if has_checker and not request.safety_checker:
        extra |= {CHECKER: None, "requires_safety_checker": False}
    if "add_watermarker" in settings:
        extra["add_watermarker"] = False  # it would change pixels of every image, frozen ones as well
    if request.variant and not any(source.folder.rglob(f"*.{request.variant}*.safetensors")):
        raise ModelError(f"{source.folder} has no weights of the variant {request.variant!r}: leave it out")
    return accepted.from_pretrained(source.folder, variant=request.variant, **how, **extra)


def _add_loras(pipeline: Any, loras: tuple[LoRA, ...]) -> tuple[Part, ...]:
    """Load LoRAs and make all active; ModelError when nothing of one fits the model, which diffusers lets pass."""
    parts = []
    for k, lora in enumerate(loras):
        path = sources.safetensors_file(lora.path, "LoRA")
        pipeline.load_lora_weights(
            str(path.parent), weight_name=path.name, adapter_name=f"lora{k}", local_files_only=True,
            use_safetensors=True,
        )  # fmt: skip
        if not any(f"lora{k}" in names for names in pipeline.get_list_adapters().values()):
            raise ModelError(f"nothing in the LoRA {path} fits this model: bring one that was trained for its family")
        parts.append(Part(id=path.name, sha256=sources.hashes(path.parent, [path]), scale=lora.scale))
    if loras:
        pipeline.set_adapters([f"lora{k}" for k in range(len(loras))], [lora.scale for lora in loras])
    return tuple(parts)


def _add_adapter(pipeline: Any, family: Family, adapter: IPAdapter) -> Part:
    """Load an IP-Adapter with the image encoder beside it."""
    path = sources.safetensors_file(adapter.path, "IP-Adapter")
    encoder = path.parent / "image_encoder"
    if not (encoder / "config.json").is_file():
        raise ModelError(f"the IP-Adapter {path} needs the folder {encoder}, with the image encoder that it goes with")
    sources.refuse_pickles(encoder)
    where: dict[str, Any] = {"subfolder": "", "image_encoder_folder": "image_encoder"}
    if family.name.startswith("flux1"):
        where = {
            "image_encoder_pretrained_model_name_or_path": str(path.parent), "image_encoder_dtype": pipeline.dtype,
            "image_encoder_subfolder": "image_encoder",
        }  # fmt: skip
    pipeline.load_ip_adapter(str(path.parent), weight_name=path.name, local_files_only=True, **where)
    pipeline.set_ip_adapter_scale(adapter.scale)
    files = [path, *encoder.glob("*.safetensors")]
    picture = {"picture": remember(Path(adapter.image)).sha256}
    return Part(id=path.name, sha256=sources.hashes(path.parent, files) | picture, scale=adapter.scale)


def _picture(path: str) -> npt.NDArray[np.uint8]:
    """(h, w, 3) sRGB of a PNG or JPEG."""
    import cv2

    image = cv2.imread(path, cv2.IMREAD_COLOR)
    if image is None:
        raise ModelError(f"the picture {path} of the IP-Adapter cannot be read: give a PNG or JPEG")
    return np.ascontiguousarray(image[..., ::-1]).astype(np.uint8)


def _part(source: Source, parts: Any) -> Part:
    """How a model is named in records; the weights of one from the hub are what its commit says."""
    if source.revision:
        return Part(id=source.id, revision=source.revision)
    return Part(id=source.id, sha256=sources.hashes(source.folder, sources.decisive(source.folder, parts)))


@contextmanager
def _loading(model: str) -> Iterator[None]:
    """Turn what the libraries raise into ModelError."""
    try:
        with quiet():
            yield
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RuntimeError, NotImplementedError) as error:
        raise ModelError(f"{Path(model).name} cannot be loaded: {str(error).strip()[:600]}") from error
