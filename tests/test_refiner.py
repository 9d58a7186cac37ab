"""Refinement with tiny models of the real classes: determinism, the change map, and what is refused."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from scenewright.datasets.png import encode_rgb
from scenewright.diffusion import latents, refiner
from scenewright.diffusion.jobs import Job, Refined
from scenewright.diffusion.load import IPAdapter, LoRA, Model, Request, load
from scenewright.diffusion.placing import Placing
from scenewright.diffusion.refiner import Refiner
from scenewright.errors import ModelError, UsageError

from .tiny_models import Tiny

torch = pytest.importorskip("torch", reason="torch is an optional dependency")
pytest.importorskip("diffusers", reason="diffusers is an optional dependency")

# diffusers imports a class of its own from a place that it calls outdated.
pytestmark = pytest.mark.filterwarnings("ignore:.*FluxPosEmbed:FutureWarning")

H, W = 29, 43
FROZEN = (slice(8, 20), slice(10, 30))
KINDS: dict[str, tuple[str, tuple[str, ...]]] = {
    "sd15": ("sd15", ()), "sd15-control": ("sd15", ("controlnet",)),
    "sd15-controls": ("sd15", ("controlnet", "controlnet-2")), "sd15-inpaint": ("sd15-inpaint", ()),
    "sd15-inpaint-control": ("sd15-inpaint", ("controlnet",)), "sdxl": ("sdxl", ()),
    "sdxl-control": ("sdxl", ("controlnet-xl",)), "sd35": ("sd35", ()),
    "flux1": ("flux1", ()), "flux1-control": ("flux1", ("controlnet-flux1",)), "flux1-fill": ("flux1-fill", ()),
    "flux1-kontext": ("flux1-kontext", ()), "z-image": ("z-image", ()), "flux2-klein": ("flux2-klein", ()),
    "qwen-image": ("qwen-image", ()), "z-image-control": ("z-image", ("controlnet-z-image",)),
    "qwen-image-control": ("qwen-image", ("controlnet-qwen",)), "flux2-klein-edit": ("flux2-klein", ()),
}  # fmt: skip


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Threads that wait for each other cost more than these models do."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


#: What has no strength; what shows its ControlNet nothing but the picture.
STRENGTHLESS, PICTURE = {"z-image-control", "qwen-image-control", "flux2-klein-edit"}, "qwen-image-control"


def request(tiny: Tiny, kind: str, **more: Any) -> Request:
    model, nets = KINDS[kind]
    usual: dict[str, Any] = {
        "controlnets": tuple(str(tiny(n)) for n in nets), "placing": Placing("cpu"), "picture_control": kind == PICTURE,
        "knobs": frozenset() if kind in STRENGTHLESS else frozenset({"strength"}),
    }  # fmt: skip
    return Request(str(tiny(model)), "test", "noise", **(usual | more))


def picture(seed: int) -> npt.NDArray[np.uint8]:
    """A smooth picture with some noise, (H, W, 3)."""
    rng = np.random.default_rng(seed)
    v, u = np.mgrid[:H, :W]
    wave = 90 * np.sin(u / 5 + seed)[..., None] * rng.uniform(0, 1, 3) + 128
    return np.asarray((wave + 20 * np.cos(v / 3)[..., None] + rng.normal(0, 4, (H, W, 3))).clip(0, 255), np.uint8)


def job(model: Model, index: int, **more: Any) -> Job:
    level = np.ones((H, W), np.float32)
    level[FROZEN] = 0
    level[22:, 30:] = 0.5
    nets = len(model.card.controlnets) if "control" in model.spec.knobs else 0
    usual: dict[str, Any] = {
        "image": picture(index), "level": level, "prompt": f"part {index}", "seed": index,
        "negative_prompt": "blur" if "negative_prompt" in model.spec.knobs else "",
        "control": tuple(picture(100 + index + k) for k in range(nets)), "steps": 6,
        "strength": 0.7 if "strength" in model.spec.knobs else None,
    }  # fmt: skip
    return Job(index, **(usual | more))


def same(first: Refined, second: Refined) -> bool:
    return bool((first.image == second.image).all())


@pytest.mark.parametrize("kind", KINDS)
def test_an_image_does_not_depend_on_its_company(tiny: Tiny, kind: str) -> None:
    """An image is the same bytes alone, among others, in another order and with a model that was loaded anew."""
    model = load(request(tiny, kind))
    jobs = [job(model, index) for index in (4, 7, 5)]
    batch = 1 if model.spec.alone else 2
    together = Refiner(model, batch).refine(jobs)
    alone = [Refiner(model, batch).refine([j])[0] for j in jobs]
    anew = Refiner(load(request(tiny, kind)), batch).refine(jobs[::-1])[::-1]
    assert all(map(same, together, alone)) and all(map(same, together, anew))
    assert not same(together[0], together[1])


@pytest.mark.parametrize("kind", KINDS)
def test_frozen_pixels_are_the_renders(tiny: Tiny, kind: str) -> None:
    """Where the change map is 0 the bytes are those that came in; elsewhere the model has been at work."""
    model = load(request(tiny, kind))
    given = job(model, 3)
    (made,) = Refiner(model).refine([given])
    assert made.image.shape == given.image.shape and made.image.dtype == np.uint8
    assert made.held and not made.flagged
    assert (made.image[FROZEN] == given.image[FROZEN]).all()
    assert (made.image[:6] != given.image[:6]).any(axis=2).mean() > 0.9


@pytest.mark.parametrize(("kind", "steps", "strength", "executed"), [
    ("sd15", 6, 0.7, 4), ("sd15", 2, 0.5, 1), ("sdxl", 6, 0.5, 3), ("sd15-inpaint", 5, 1.0, 5), ("sd35", 6, 0.5, 3),
])  # fmt: skip
def test_executed_steps_are_reported(tiny: Tiny, kind: str, steps: int, strength: float, executed: int) -> None:
    """What is reported is how many steps the pipeline took, which the strength decides."""
    model = load(request(tiny, kind))
    (made,) = Refiner(model).refine([job(model, 0, steps=steps, strength=strength)])
    assert made.steps == executed


def test_a_restart_makes_the_same_bytes(tiny: Tiny) -> None:
    """Another process makes the same picture."""
    model = load(request(tiny, "sd15"))
    given = job(model, 6)
    (made,) = Refiner(model).refine([given])
    code = (
        "import hashlib, torch; torch.set_num_threads(1)\n"
        f"from {__name__} import job, load, Refiner, Request, Placing\n"
        f"model = load(Request({str(tiny('sd15'))!r}, 'test', 'noise', placing=Placing('cpu')))\n"
        "print(hashlib.sha256(Refiner(model).refine([job(model, 6)])[0].image.tobytes()).hexdigest())"
    )
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert child.stdout.strip() == hashlib.sha256(made.image.tobytes()).hexdigest(), child.stderr


@pytest.mark.parametrize("more", [
    {"seed": 99}, {"prompt": "rust"}, {"negative_prompt": "rust"}, {"strength": 1.0}, {"steps": 12}, {"guidance": 2.0},
    {"control_scale": 0.1}, {"control": (np.zeros((H, W, 3), np.uint8),)},
])  # fmt: skip
def test_every_knob_reaches_the_model(tiny: Tiny, more: dict[str, Any]) -> None:
    """Each parameter of a job changes the picture."""
    model = load(request(tiny, "sd15-control"))
    given = job(model, 2)
    first, second = (Refiner(model).refine([j])[0] for j in (given, replace(given, **more)))
    assert not same(first, second)


def test_lora_and_ip_adapter_change_the_picture(tiny: Tiny, tmp_path: Path) -> None:
    """What is loaded beside a model acts, and the picture that an IP-Adapter is shown matters."""
    adapters = []
    for seed in (50, 51):
        (tmp_path / f"{seed}.png").write_bytes(encode_rgb(picture(seed)))
        adapters.append(IPAdapter(str(tiny("ip-adapter")), str(tmp_path / f"{seed}.png")))
    ways: list[dict[str, Any]] = [{}, {"loras": (LoRA(str(tiny("lora"))),)}, *({"ip_adapter": a} for a in adapters)]
    made = []
    for way in ways:
        model = load(request(tiny, "sd15", **way))
        (one,) = Refiner(model, 2).refine([job(model, 1)])
        made.append(one.image.tobytes())
    assert len(set(made)) == len(ways)


@pytest.mark.parametrize("kind", ["sd15", "sdxl", "sd35", "flux1", "flux2-klein", "qwen-image", "z-image"])
def test_latents_are_held_back_step_by_step(tiny: Tiny, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """After step i of n the cells below 1 − i / n are the render's, with the noise that the schedule has there."""
    seen: list[tuple[Any, Any, Any]] = []
    usual = latents.Hold.__call__

    def watched(hold: latents.Hold, pipeline: Any, step: int, timestep: Any, given: dict[str, Any]) -> dict[str, Any]:
        before = given["latents"].clone()
        after = usual(hold, pipeline, step, timestep, given)
        seen.append((hold, before, after["latents"]))
        return after

    monkeypatch.setattr(latents.Hold, "__call__", watched)
    model = load(request(tiny, kind))
    Refiner(model).refine([job(model, 3, steps=4, strength=1.0)])
    assert len(seen) == 4
    for step, (hold, before, after) in enumerate(seen):
        held = (hold.level < 1 - step / 4).expand_as(after)
        assert torch.equal(after[~held], before[~held]) and held.any() and not held.all()
        expected = noised(model.pipeline.scheduler, hold, step, 4)
        assert torch.allclose(after[held], expected.expand_as(after)[held], atol=1e-5)
    free = [(hold.level >= 1 - step / 4).float().mean() for step, (hold, _, _) in enumerate(seen)]
    assert free == sorted(free) and free[0] < free[-1]


def noised(scheduler: Any, hold: latents.Hold, step: int, total: int) -> Any:
    """The render's latents before step + 1, by the formula of each kind of schedule."""
    if step + 1 == total:
        return hold.original
    following = scheduler.timesteps[step + 1]
    if type(scheduler).__name__ == "DDIMScheduler":
        alpha = scheduler.alphas_cumprod[int(following)]
        return alpha**0.5 * hold.original + (1 - alpha) ** 0.5 * hold.noise
    sigma = scheduler.sigmas[step + 1]
    scale = 1 - sigma if "Flow" in type(scheduler).__name__ else 1
    return scale * hold.original + sigma * hold.noise


@pytest.mark.parametrize("kind", [
    "sd15-control", "sd15-inpaint", "sdxl", "sd35", "flux1", "flux1-fill", "flux1-kontext", "z-image",
    "z-image-control", "flux2-klein", "flux2-klein-edit", "qwen-image",
])  # fmt: skip
def test_what_is_held_throughout_is_the_render_itself(tiny: Tiny, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With all latents held the model gives what its VAE makes of the render: nothing is scaled or laid out wrongly."""
    monkeypatch.setattr(refiner, "composite", lambda render, refined, level, mixed: refined)
    model = load(request(tiny, kind))
    image = np.tile(picture(1), (3, 2, 1))[:64, :80]
    nets = {"control": (image,)} if "control" in model.spec.knobs else {}
    (made,) = Refiner(model).refine([job(model, 1, image=image, level=np.zeros((64, 80), np.float32), **nets)])
    pixels = torch.from_numpy(image.transpose(2, 0, 1)[None].astype(np.float32) / 127.5 - 1)
    pixels = pixels[:, :, None] if kind == "qwen-image" else pixels
    with torch.no_grad():
        decoded = model.pipeline.vae.decode(model.pipeline.vae.encode(pixels).latent_dist.mode()).sample
    decoded = decoded[:, :, 0] if kind == "qwen-image" else decoded
    expected = ((decoded[0] / 2 + 0.5).clamp(0, 1) * 255).numpy().transpose(1, 2, 0)
    assert np.abs(made.image - expected).max() <= 1 and expected.std() > 1


def test_cells_are_means() -> None:
    """The change map at the resolution of latents is the mean over each cell."""
    level = np.zeros((4, 6), np.float32)
    level[:2, :2], level[0, 2] = 1, 1
    assert latents.cell_level(level, 2).tolist() == [[1, 0.25, 0], [0, 0, 0]]


def test_a_flagged_picture_stays_as_it_was(tiny: Tiny) -> None:
    """What the safety checker blanks is reported, and comes back as the render rather than as black."""
    model = load(Request(str(tiny("sd15-checked")), "test", "noise", safety_checker=True, placing=Placing("cpu")))
    given = job(model, 1)
    (made,) = Refiner(model).refine([given])
    assert made.flagged and (made.image == given.image).all()


def test_the_map_is_mixed_where_it_cannot_act_inside(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a scheduler of second order the map acts on the finished picture alone, and the result says so."""
    from diffusers import HeunDiscreteScheduler

    model = load(request(tiny, "sd15"))
    model.pipeline.scheduler = HeunDiscreteScheduler.from_config(model.pipeline.scheduler.config)
    given = job(model, 1)
    free = replace(given, level=np.ones_like(given.level))
    made, whole = (Refiner(model).refine([j])[0] for j in (given, free))
    assert not made.held
    half = given.level == 0.5
    expected = (given.image[half].astype(float) + whole.image[half]) / 2
    assert np.abs(made.image[half] - expected).max() <= 1


@pytest.mark.parametrize(("more", "said"), [
    ({"steps": 3, "strength": 0.3}, r"3 steps at strength 0\.3 leave 0\.9 of a step.*at least 4 steps, or"),
    ({"strength": None}, "strength is a share"),
    ({"strength": 1.5}, "strength is a share"),
    ({"steps": 0}, "at least 1 step"),
    ({"control": ()}, "brings 0 control pictures for 1 ControlNets"),
    ({"control": (np.zeros((4, 4, 3), np.uint8),)}, "of its own size"),
    ({"level": np.ones((3, 3), np.float32)}, "change map must be"),
    ({"level": np.full((H, W), 1.5, np.float32)}, "from 0 to 1"),
    ({"image": np.zeros((H, W, 3), np.float32)}, "uint8"),
    ({"seed": -1}, "seed is"),
    ({"prompt": "a " * 90}, "reads 77 tokens"),
])  # fmt: skip
def test_what_cannot_be_done_is_said_first(tiny: Tiny, more: dict[str, Any], said: str) -> None:
    """A job that cannot work is an error that names the image and the rule, before anything runs."""
    model = load(request(tiny, "sd15-control"))
    with pytest.raises(UsageError, match=rf"image 1\b.*{said}"):
        Refiner(model).refine([job(model, 1, **more)])


def test_numbers_that_are_none_are_an_error(tiny: Tiny) -> None:
    """A model that overflows is an error that says what to try, and no black picture."""
    model = load(request(tiny, "sd15"))
    with torch.no_grad():
        model.pipeline.vae.decoder.conv_out.bias.fill_(float("nan"))
    with pytest.raises(ModelError, match="Its precision is float32"):
        Refiner(model).refine([job(model, 1)])


def test_batches_have_a_size(tiny: Tiny) -> None:
    """A batch of nothing is an error."""
    with pytest.raises(UsageError, match="at least 1 image"):
        Refiner(load(request(tiny, "sd15")), 0)


def test_a_family_says_who_has_what_it_lacks(tiny: Tiny) -> None:
    """Strength, a negative prompt and company are errors where a model has none, and not ignored."""
    model = load(request(tiny, "flux2-klein-edit"))
    with pytest.raises(
        UsageError, match=r"asks for strength, which FLUX\.2 Klein has not.*Flux2KleinPipeline.*: sd15,"
    ):
        Refiner(model).refine([job(model, 1, strength=0.5)])
    with pytest.raises(UsageError, match=r"asks for negative_prompt.*qwen-image"):
        Refiner(model).refine([job(model, 1, negative_prompt="rust")])
    with pytest.raises(UsageError, match="one image at a time"):
        Refiner(model, 2)
    with pytest.raises(UsageError, match="up to 1048576 pixels"):
        big = np.zeros((1030, 1024, 3), np.uint8)
        Refiner(model).refine([job(model, 1, image=big, level=np.ones((1030, 1024), np.float32))])


@pytest.mark.filterwarnings("ignore:.*upcast_vae:FutureWarning")  # diffusers warns of what it does itself
@pytest.mark.parametrize(("kind", "precision", "quantise"), [
    ("sdxl", "float16", None), ("sd35", "bfloat16", "fp8"), ("flux1", "bfloat16", None), ("z-image", "bfloat16", "fp8"),
])  # fmt: skip
def test_short_precisions(tiny: Tiny, kind: str, precision: Any, quantise: Any) -> None:
    """In 16 bits, and with weights in 8, the map is held, and an image does not depend on its company."""
    placing = Placing("cpu", precision=precision, quantise=quantise, vae_tiling=True, vae_slicing=True)
    model = load(request(tiny, kind, placing=placing))
    alone, together = (Refiner(model, 2).refine([job(model, k) for k in ks])[0] for ks in ((1,), (1, 2)))
    assert same(alone, together) and alone.held
    exact = Refiner(load(request(tiny, kind)), 2).refine([job(model, 1)])[0]
    assert np.abs(alone.image.astype(int) - exact.image).mean() < 25


def test_the_number_of_threads_is_the_cards(tiny: Tiny) -> None:
    """A picture does not depend on how many threads the process has otherwise, and gives that number back."""
    model = load(request(tiny, "sd15", placing=Placing("cpu", threads=1)))
    image = np.tile(picture(1), (8, 7, 1))
    given = job(model, 1, image=image, level=np.ones(image.shape[:2], np.float32), steps=2, strength=1.0)
    made = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        made += Refiner(model).refine([given])
        assert torch.get_num_threads() == threads
    assert model.card.threads == 1 and same(*made)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")  # torch's compiler imports what torch deprecates
def test_a_compiled_model_makes_the_same_picture_but_for_rounding(tiny: Tiny) -> None:
    """Compiling the denoiser changes no pixel by more than 1, and keeps images independent of their company."""
    plain, compiled = (load(request(tiny, "sd15", placing=Placing("cpu", compiled=c))) for c in (False, True))
    given = job(plain, 1)
    (expected,), (made,) = (Refiner(model, 2).refine([given]) for model in (plain, compiled))
    assert compiled.card.compiled
    assert np.abs(made.image.astype(int) - expected.image).max() <= 1
    assert same(made, Refiner(compiled, 2).refine([given, job(compiled, 2)])[0])
