"""Loading a user's model: what is recorded of it, and what is refused."""

from __future__ import annotations

import hashlib
import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest

from scenewright.datasets.png import encode_rgb
from scenewright.diffusion import sources
from scenewright.diffusion.load import IPAdapter, LoRA, Model, Request, load
from scenewright.diffusion.placing import Placing
from scenewright.errors import ModelError, UsageError

from .tiny_models import Tiny

pytest.importorskip("diffusers", reason="diffusers is an optional dependency")

CPU = Placing(device="cpu")
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def loaded(model: Path | str, **more: Any) -> Model:
    usual: dict[str, Any] = {"license": "test", "training_data": "noise", "placing": CPU}
    return load(Request(str(model), **(usual | more)))


@pytest.fixture
def copy(tiny: Tiny, tmp_path: Path) -> Path:
    """A tiny Stable Diffusion that a test may spoil."""
    return Path(shutil.copytree(tiny("sd15"), tmp_path / "model"))


def edit(path: Path, **changed: Any) -> None:
    path.write_bytes(orjson.dumps(orjson.loads(path.read_bytes()) | changed))


@pytest.mark.parametrize(("name", "controlnets", "pipeline"), [
    ("sd15", [], "StableDiffusionImg2ImgPipeline"),
    ("sd15", ["controlnet"], "StableDiffusionControlNetImg2ImgPipeline"),
    ("sd15-inpaint", [], "StableDiffusionInpaintPipeline"),
    ("sd15-inpaint", ["controlnet"], "StableDiffusionControlNetInpaintPipeline"),
    ("sdxl", ["controlnet-xl"], "StableDiffusionXLControlNetImg2ImgPipeline"),
    ("sd35", [], "StableDiffusion3Img2ImgPipeline"),
])  # fmt: skip
def test_a_folder_becomes_the_pipeline_of_its_family(
    tiny: Tiny, name: str, controlnets: list[str], pipeline: str
) -> None:
    """What `save_pretrained` wrote is loaded as the class that can do what is asked, in evaluation mode."""
    model = loaded(tiny(name), controlnets=tuple(str(tiny(c)) for c in controlnets))
    assert (model.card.family, type(model.pipeline).__name__) == (name, pipeline)
    assert model.card.pipeline == model.spec.name == pipeline
    assert not getattr(model.pipeline, model.family.denoiser).training


def test_the_card_says_what_decides_the_images(tiny: Tiny) -> None:
    """Hashes of all weights and configurations, the scheduler's settings, precision and libraries are recorded."""
    folder, net = tiny("sd15"), tiny("controlnet")
    card = loaded(folder, controlnets=(str(net),), license="openrail", training_data="LAION").card
    weights = {f"{part}/{name}.safetensors" for part, name in (
        ("unet", "diffusion_pytorch_model"), ("vae", "diffusion_pytorch_model"), ("text_encoder", "model"),
    )}  # fmt: skip
    said = card.model.sha256
    assert said == {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in said}
    configured = {"model_index.json", "unet/config.json", "scheduler/scheduler_config.json", "tokenizer/tokenizer.json"}
    assert weights | configured <= {*said}
    assert [*card.controlnets[0].sha256] == ["config.json", "diffusion_pytorch_model.safetensors"]
    assert (card.model.id, card.model.revision, card.license, card.training_data) == ("sd15", None, "openrail", "LAION")
    assert card.scheduler == "DDIMScheduler" and card.scheduler_config["beta_end"] == 0.012
    assert (card.precision, card.device, card.notes) == ("float32", "cpu", ())
    assert {"torch", "diffusers", "transformers", "safetensors", "scenewright", "numpy"} <= card.versions.keys()
    assert type(card).model_validate_json(card.model_dump_json()) == card


@pytest.mark.parametrize("license", [None, "", "  "])
def test_a_licence_must_be_stated(tiny: Tiny, license: str | None) -> None:
    """Without a licence nothing is loaded, and the message says what may be written."""
    with pytest.raises(UsageError, match=r"licence of the model is not stated.*apache-2\.0, or say 'unknown'"):
        loaded(tiny("sd15"), license=license)


def test_what_is_unknown_is_noted(tiny: Tiny) -> None:
    """An unknown licence or origin is allowed when it is said, and follows the data as a note."""
    card = loaded(tiny("sd15"), license="Unknown", training_data="unknown").card
    assert card.license == card.training_data == "unknown"
    assert [*map(bool, card.notes)] == [True, True] and "licence" in card.notes[0] and "trained" in card.notes[1]


@pytest.mark.parametrize("suffix", [".bin", ".ckpt", ".pt"])
def test_pickles_are_refused(copy: Path, suffix: str) -> None:
    """A part whose weights are a pickle is refused before anything is read, whatever its name."""
    weights = copy / "unet" / "diffusion_pytorch_model.safetensors"
    weights.rename(weights.with_suffix(suffix))
    with pytest.raises(ModelError, match=rf"unet has its weights as diffusion_pytorch_model\{suffix} only.*any code"):
        loaded(copy)


def test_a_pickle_beside_safetensors_is_left_alone(copy: Path) -> None:
    """Many models bring both: the safetensors are loaded, and a broken pickle beside them does no harm."""
    (copy / "unet" / "diffusion_pytorch_model.bin").write_bytes(b"no pickle")
    assert loaded(copy).card.family == "sd15"


def test_pickled_controlnets_and_loras_are_refused(tiny: Tiny, tmp_path: Path) -> None:
    """The rule holds for what is loaded beside the model."""
    net = Path(shutil.copytree(tiny("controlnet"), tmp_path / "net"))
    weights = net / "diffusion_pytorch_model.safetensors"
    weights.rename(weights.with_suffix(".bin"))
    with pytest.raises(ModelError, match="pickle"):
        loaded(tiny("sd15"), controlnets=(str(net),))
    with pytest.raises(ModelError, match=r"the LoRA .*is a pickle"):
        loaded(tiny("sd15"), loras=(LoRA(str(tmp_path / "x.pt")),))


def test_code_is_never_run(copy: Path) -> None:
    """A pipeline or a part of the model's own would be code of its author, and is refused."""
    (copy / "pipeline.py").write_text("raise SystemExit('ran')")
    edit(copy / sources.INDEX, _class_name=["pipeline", "Mine"])
    with pytest.raises(ModelError, match="pipeline of its own"):
        loaded(copy)
    edit(copy / sources.INDEX, _class_name="StableDiffusionPipeline", unet=["my_unet", "Net"])
    with pytest.raises(ModelError, match="unet is a Net of 'my_unet', which is never run"):
        loaded(copy)


@pytest.mark.parametrize(("model", "error", "said"), [
    ("owner/name", UsageError, r"not pinned.*write owner/name@ and the 40 digits of a commit, or a tag"),
    ("no such folder", UsageError, "no folder, and no model on the hub"),
    ("owner/name/more@v1", UsageError, "owner/name@revision"),
])  # fmt: skip
def test_models_must_be_named_exactly(model: str, error: type[Exception], said: str) -> None:
    """What is neither a folder nor pinned to a revision is an error that says how to write it."""
    with pytest.raises(error, match=said):
        loaded(model)


def test_files_and_other_folders_are_no_models(tiny: Tiny, tmp_path: Path) -> None:
    """A single file, a ControlNet in place of a model and a family that is not known are errors that say so."""
    (tmp_path / "x.safetensors").touch()
    with pytest.raises(ModelError, match=r"is one file.*from_single_file"):
        loaded(tmp_path / "x.safetensors")
    with pytest.raises(ModelError, match=r"has no model_index\.json"):
        loaded(tiny("controlnet"))
    other = tmp_path / "other"
    other.mkdir()
    (other / sources.INDEX).write_text('{"_class_name": "WanPipeline"}')
    with pytest.raises(ModelError, match=r"no family known here.*FLUX\.1"):
        loaded(other)


def test_a_cached_commit_of_the_hub_needs_no_network(
    tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model that the hub's cache holds at the pinned commit is loaded from there, and the commit is recorded."""
    constants = pytest.importorskip("huggingface_hub.constants")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    shutil.copytree(tiny("sd15"), tmp_path / "models--owner--name" / "snapshots" / COMMIT)
    card = loaded(f"owner/name@{COMMIT}").card
    assert (card.model.id, card.model.revision, card.model.sha256) == ("owner/name", COMMIT, {})
    with pytest.raises(ModelError, match="cannot be had from the hub"):
        loaded(f"owner/name@{COMMIT[::-1]}")
    next(tmp_path.rglob("unet/*.safetensors")).unlink()  # as a download that broke off leaves it
    with pytest.raises(ModelError, match="cannot be had from the hub"):
        loaded(f"owner/name@{COMMIT}")
    with pytest.raises(ModelError, match=r"tag 'v1' of owner/name cannot be looked up.*40 digits"):
        loaded("owner/name@v1")


def test_a_lora_is_loaded_with_its_scale(tiny: Tiny) -> None:
    """A LoRA is active with the scale that was given, and recorded by the hash of its file."""
    file = tiny("lora")
    model = loaded(tiny("sd15"), loras=(LoRA(str(file), 0.7),))
    (part,) = model.card.loras
    assert (part.id, part.scale) == (file.name, 0.7)
    assert part.sha256 == {file.name: hashlib.sha256(file.read_bytes()).hexdigest()}
    assert model.pipeline.get_active_adapters() == ["lora0"]


def test_a_lora_of_another_family_is_refused(tiny: Tiny) -> None:
    """A LoRA of which nothing fits would be ignored by diffusers; here it is an error."""
    with pytest.raises(ModelError, match=r"LoRA .*fits this model|cannot be loaded"):
        loaded(tiny("sd35"), loras=(LoRA(str(tiny("lora"))),))


def test_an_ip_adapter_is_loaded_with_its_encoder(tiny: Tiny, tmp_path: Path) -> None:
    """An IP-Adapter brings its image encoder, is recorded with it, and families without one name those that have it."""
    shown = np.arange(32 * 32 * 3, dtype=np.uint8).reshape(32, 32, 3)
    (tmp_path / "like.png").write_bytes(encode_rgb(shown))
    adapter = IPAdapter(str(tiny("ip-adapter")), str(tmp_path / "like.png"), 0.4)
    model = loaded(tiny("sd15"), ip_adapter=adapter)
    assert model.card.ip_adapter is not None and model.card.ip_adapter.scale == 0.4
    assert [*model.card.ip_adapter.sha256] == ["adapter.safetensors", "image_encoder/model.safetensors", "picture"]
    assert model.pipeline.image_encoder is not None and model.reference is not None
    assert (model.reference == shown).all()
    (tmp_path / "like.png").write_bytes(b"no picture")
    with pytest.raises(ModelError, match="cannot be read"):
        loaded(tiny("sd15"), ip_adapter=adapter)


def test_the_safety_checker_is_loaded_only_when_asked(tiny: Tiny) -> None:
    """The checker is neither loaded unasked nor missed silently, and the card says which it was."""
    off, on = loaded(tiny("sd15-checked")), loaded(tiny("sd15-checked"), safety_checker=True)
    assert off.pipeline.safety_checker is None and not off.card.safety_checker
    assert on.pipeline.safety_checker is not None and on.card.safety_checker
    with pytest.raises(UsageError, match="no safety checker"):
        loaded(tiny("sd35"), safety_checker=True)


@pytest.mark.parametrize(("placing", "said"), [
    (Placing("cpu", offload="model"), "no GPU in use"),
    (Placing("tpu"), "no device"),
    (Placing("cuda:99"), "sees no cuda:99"),
])  # fmt: skip
def test_impossible_places_are_errors(tiny: Tiny, placing: Placing, said: str) -> None:
    """A device that is not there, or an option that means nothing on it, is an error."""
    with pytest.raises(UsageError, match=said):
        loaded(tiny("sd15"), placing=placing)


def test_memory_options_reach_the_model(tiny: Tiny) -> None:
    """Tiling, slicing, precision and 8-bit storage are set on the model and recorded."""
    import torch

    placing = Placing("cpu", precision="bfloat16", vae_tiling=True, vae_slicing=True, quantise="fp8")
    model = loaded(tiny("sd35"), placing=placing)
    types = {w.dtype for w in model.pipeline.transformer.parameters()}
    assert types == {torch.float8_e4m3fn, torch.bfloat16} and model.pipeline.vae.dtype == torch.bfloat16
    assert model.pipeline.vae.use_tiling and model.pipeline.vae.use_slicing
    assert (model.card.precision, model.card.quantised) == ("bfloat16", "fp8")
    assert model.card.vae_tiling and model.card.vae_slicing


def test_a_variant_that_is_not_there_is_an_error(tiny: Tiny) -> None:
    """Asking for other weights than there are is an error, and does not load the usual ones."""
    with pytest.raises(ModelError, match="no weights of the variant 'fp16'"):
        loaded(tiny("sd15"), variant="fp16")


@pytest.mark.skipif(find_spec("torchvision") is not None, reason="shows what happens without torchvision")
def test_what_a_family_needs_besides_is_said(tmp_path: Path) -> None:
    """A family whose components import more than the extra brings says what, before it loads anything."""
    (tmp_path / sources.INDEX).write_text('{"_class_name": "QwenImageEditPipeline"}')
    with pytest.raises(UsageError, match="Qwen-Image-Edit needs torchvision too"):
        loaded(tmp_path, knobs=frozenset())


def test_broken_weights_are_an_error(copy: Path) -> None:
    """What diffusers says of a damaged file arrives as an error of ours."""
    (copy / "vae" / "diffusion_pytorch_model.safetensors").write_bytes(b"\x00" * 64)
    with pytest.raises(ModelError, match="cannot be loaded"):
        loaded(copy)
