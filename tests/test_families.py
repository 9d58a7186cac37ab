"""Families of diffusion models: the table against what diffusers really has, and the choice of a pipeline."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from scenewright.diffusion import families
from scenewright.diffusion.families import FAMILIES, KNOBS, Family, Knob, Pipeline, choose, family_of, with_knobs
from scenewright.errors import ModelError, UsageError

diffusers = pytest.importorskip("diffusers", reason="diffusers is an optional dependency")

PIPELINES = {(f.name, p.name): (f, p) for f in FAMILIES.values() for p in f.pipelines}
EACH = pytest.mark.parametrize(("family", "pipeline"), PIPELINES.values(), ids=["/".join(k) for k in PIPELINES])


def signature(name: str, method: str = "__call__") -> set[str]:
    return set(inspect.signature(getattr(getattr(diffusers, name), method)).parameters)


@EACH
def test_diffusers_has_what_the_table_claims(family: Family, pipeline: Pipeline) -> None:
    """Each pipeline exists, takes the argument of every knob that it is said to have, and shows its steps."""
    arguments = signature(pipeline.name)
    taken = {pipeline.argument(knob) for knob in pipeline.knobs - {"lora"}} | {pipeline.image, pipeline.guidance}
    taken |= {pipeline.negative_guidance} if pipeline.negative_guidance else set()
    assert taken | {"prompt", "num_inference_steps", "generator", "callback_on_step_end"} <= arguments
    assert hasattr(getattr(diffusers, pipeline.name), "load_lora_weights") == ("lora" in pipeline.knobs)
    assert pipeline.controlnet == ("controlnet" in signature(pipeline.name, "__init__"))
    assert family.denoiser in signature(pipeline.name, "__init__")


@EACH
def test_the_table_leaves_nothing_out(family: Family, pipeline: Pipeline) -> None:
    """A knob that the table denies is really missing, so that nobody is refused what diffusers could do."""
    arguments = signature(pipeline.name)
    usual: dict[Knob, str] = {"strength": "strength", "mask": "mask_image", "negative_prompt": "negative_prompt"}
    for knob, argument in usual.items():
        assert (knob in pipeline.knobs) == (argument in arguments or pipeline.arguments.get(knob) in arguments)
    can_adapt = "ip_adapter_image" in arguments and hasattr(getattr(diffusers, pipeline.name), "load_ip_adapter")
    assert ("ip_adapter" in pipeline.knobs) == can_adapt
    separate_control = "control_image" in arguments and pipeline.image != "control_image"
    assert ("control" in pipeline.knobs) == separate_control


@pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)
def test_classes_of_a_family_exist(family: Family) -> None:
    """Every class that means a family, and the class of its ControlNets, is one of diffusers."""
    assert all(hasattr(diffusers, name) for name in (*family.classes, *filter(None, [family.controlnet])))
    assert bool(family.controlnet) == any(p.controlnet for p in family.pipelines)


def test_families_are_told_apart() -> None:
    """No class of `model_index.json` means two families, and each pipeline's own class means its family."""
    classes = [name for family in FAMILIES.values() for name in family.classes]
    assert len(classes) == len(set(classes))
    assert all(family_of({"_class_name": name}, "x") is f for f in FAMILIES.values() for name in f.classes)


@pytest.mark.parametrize(("family", "knobs", "controlnet", "name"), [
    ("sd15", ["strength"], False, "StableDiffusionImg2ImgPipeline"),
    ("sd15", ["strength", "control"], True, "StableDiffusionControlNetImg2ImgPipeline"),
    ("sd15", ["mask"], False, "StableDiffusionInpaintPipeline"),
    ("sd15-inpaint", ["strength"], False, "StableDiffusionInpaintPipeline"),
    ("sdxl", ["control", "mask"], True, "StableDiffusionXLControlNetInpaintPipeline"),
    ("sd35", ["strength", "negative_prompt"], False, "StableDiffusion3Img2ImgPipeline"),
    ("flux1", ["strength", "control"], True, "FluxControlNetImg2ImgPipeline"),
    ("flux1-fill", [], False, "FluxFillPipeline"),
    ("flux1-kontext", ["strength"], False, "FluxKontextInpaintPipeline"),
    ("flux2-klein", ["strength"], False, "Flux2KleinInpaintPipeline"),
    ("qwen-image", ["mask"], True, "QwenImageControlNetInpaintPipeline"),
    ("qwen-image-edit", ["strength"], False, "QwenImageEditInpaintPipeline"),
    ("z-image", ["control"], True, "ZImageControlNetInpaintPipeline"),
])  # fmt: skip
def test_choice(family: str, knobs: list[str], controlnet: bool, name: str) -> None:
    """The plainest pipeline that can do what is asked is chosen."""
    assert choose(FAMILIES[family], knobs, controlnet).name == name  # type: ignore[arg-type]


@pytest.mark.parametrize(("family", "knobs", "controlnet", "said"), [
    ("flux2-klein", ["negative_prompt"], False, r"FLUX\.2 Klein has no negative_prompt.*: sd15,.*z-image$"),
    ("qwen-image-edit-plus", ["strength"], False, "no strength.*qwen-image-edit,"),
    ("z-image", ["control", "strength"], True, r"no pipeline with control and strength together.*: sd15,.*flux1$"),
    ("sd35", ["control"], True, "without a ControlNet.*sd15"),
    ("sd15", ["control"], False, "need a ControlNet"),
    ("flux1", ["ip_adapter"], True, "no pipeline with ip_adapter together beside a ControlNet"),
])  # fmt: skip
def test_a_missing_knob_names_who_has_it(family: str, knobs: list[str], controlnet: bool, said: str) -> None:
    """What a family cannot do is an error that names the families that can, and never ignored."""
    with pytest.raises(UsageError, match=said):
        choose(FAMILIES[family], knobs, controlnet)  # type: ignore[arg-type]


def test_every_knob_is_had_by_some_family() -> None:
    """An error can always name somebody."""
    assert all(with_knobs([knob], knob == "control") for knob in KNOBS)


def test_unknown_families_are_refused() -> None:
    """A model of another family is an error that lists what is known."""
    with pytest.raises(ModelError, match=r"WanPipeline.*Stable Diffusion 1\.5 \(StableDiffusionPipeline.*Z-Image"):
        family_of({"_class_name": "WanPipeline"}, "model")


def test_the_readme_shows_what_families_can_do() -> None:
    """The table that users read is the one that the code goes by."""
    text = (Path(families.__file__).parent / "README.md").read_text("utf-8")
    for family in FAMILIES.values():
        known = {knob for pipeline in family.pipelines for knob in pipeline.knobs}
        cells = ["yes" if knob in known else "–" for knob in KNOBS]
        assert f"| `{family.name}`: {family.title} | {' | '.join(cells)} |" in text
