"""The commands of the diffusion stage: a finished dataset in, another one out."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from .cli_executors import (
    GRACE_S,
    CoresOption,
    ExecutorOption,
    GraceOption,
    PerGpuOption,
    RayOption,
    ShardOption,
    ShardsOption,
    Stop,
    executor_of,
    going_on,
    tell_stopped,
)
from .datasets.place import local_folder
from .errors import UsageError
from .terminal import console, rendering

__all__ = [
    "MOSTLY",
    "NOTHING",
    "PARTIAL",
    "Out",
    "Source",
    "add_commands",
    "checked",
    "request",
    "tell_model",
]

NOTHING, PARTIAL = 1, 3
#: When more images than this share fell back, in whole or in part, the run has failed in the main.
MOSTLY = 0.5
#: With fewer free pixels than this share there was next to nothing to refine.
LEAST_FREE = 0.05

Source = Annotated[
    Path,
    typer.Argument(parser=local_folder, metavar="DATASET", help="Folder of a finished dataset; it stays as it is."),
]
Out = Annotated[
    Path,
    typer.Option(
        parser=local_folder, metavar="FOLDER", help="Folder of the new dataset; a run that was stopped goes on there."
    ),
]


def add_commands(app: typer.Typer) -> None:
    """Put the commands of this file into the command line."""
    app.command()(refine)


def refine(
    dataset: Source,
    model: Annotated[str, typer.Option(help="Folder in diffusers' layout, or owner/name@revision on the hub.")],
    out: Out,
    license: Annotated[str, typer.Option(help="The model's licence, as its card states it, or `unknown`.")],
    training_data: Annotated[str, typer.Option(help="What the model was trained on, as far as it is stated.")] = "",
    prompt: Annotated[
        list[str] | None,
        typer.Option(
            help="What is to be seen; {objects}, {materials}, {ground} are filled in. Repeatable: one is drawn."
        ),
    ] = None,
    prompt_file: Annotated[Path | None, typer.Option(help="A prompt on each line; # begins a comment.")] = None,
    negative_prompt: Annotated[str, typer.Option(help="What is not to be seen.")] = "",
    strength: Annotated[
        str, typer.Option(help="Share of the noise that is added, above 0 up to 1; none for families without it.")
    ] = "0.4",
    steps: Annotated[int, typer.Option(min=1, help="Denoising steps of a full strength.")] = 30,
    guidance: Annotated[float, typer.Option(min=0, help="How strictly the prompt is followed.")] = 6.0,
    controlnet: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KIND=MODEL",
            help="A ControlNet and what it sees: depth, normals, edges or segments, from ground truth; or picture. "
            "Repeatable.",
        ),
    ] = None,
    control_scale: Annotated[float, typer.Option(min=0, help="How strongly ControlNets act.")] = 1.0,
    lora: Annotated[list[str] | None, typer.Option(metavar="FILE[:SCALE]", help="A LoRA. Repeatable.")] = None,
    ip_adapter: Annotated[Path | None, typer.Option(help="An IP-Adapter, with image_encoder/ beside it.")] = None,
    ip_image: Annotated[Path | None, typer.Option(help="The picture to be alike, for the IP-Adapter.")] = None,
    ip_scale: Annotated[float, typer.Option(help="How strongly the IP-Adapter acts.")] = 0.6,
    background: Annotated[float, typer.Option(min=0, max=1, help="Share of the strength off the objects.")] = 1.0,
    objects: Annotated[float, typer.Option(min=0, max=1, help="Share of the strength inside objects.")] = 0.6,
    masked: Annotated[bool, typer.Option(help="Take the family's inpainting pipeline, where it has one.")] = False,
    band_px: Annotated[float, typer.Option(min=0, max=64, help="Frozen on each side of outlines, pixels.")] = 3.0,
    batch: Annotated[int, typer.Option(min=1, help="Images at a time.")] = 1,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes, each with the model: one for each GPU. Default: 1.")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 or mps.")] = "auto",
    precision: Annotated[str, typer.Option(help="auto, float32, float16 or bfloat16.")] = "auto",
    offload: Annotated[str, typer.Option(help="none, model or sequential: less GPU memory, more time.")] = "none",
    quantise: Annotated[str | None, typer.Option(help="fp8: the denoiser's weights in 8 bits.")] = None,
    vae_tiling: Annotated[bool, typer.Option(help="Decode in tiles: less memory.")] = False,
    vae_slicing: Annotated[bool, typer.Option(help="Decode one by one: less memory.")] = False,
    compiled: Annotated[bool, typer.Option(help="Compile the denoiser: pays off after dozens of images.")] = False,
    threads: Annotated[int | None, typer.Option(min=1, help="On a CPU. Default: the worker's share of cores.")] = None,
    variant: Annotated[str | None, typer.Option(help="Which set of weights, such as fp16.")] = None,
    safety_checker: Annotated[bool, typer.Option(help="Load the checker of Stable Diffusion 1.5.")] = False,
    seed: Annotated[int, typer.Option(min=0, help="Another seed, other pictures.")] = 0,
    count: Annotated[int | None, typer.Option(min=1, help="Only the first so many images.")] = None,
    timeout: Annotated[float, typer.Option(help="Seconds without a finished image that count as hung.")] = 1800.0,
    grace: GraceOption = GRACE_S,
    executor: ExecutorOption = "local",
    ray: RayOption = "auto",
    per_gpu: PerGpuOption = None,
    cores: CoresOption = 1,
    shard: ShardOption = None,
    shards: ShardsOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Refine the pictures with your diffusion model, and keep only what leaves the labels true.

    \b
    Every image climbs a ladder: refined at --strength; where the label gate
    finds that outlines moved, at 0.7 and 0.5 of it; then with the render
    pasted over the objects that failed; last the render itself. All scores
    are recorded. Needs the extra: pip install 'scenewright\\[diffusion]'.

    \b
    Families: Stable Diffusion 1.5, XL and 3.5, FLUX.1 and its Fill, Kontext
    and ControlNets, FLUX.2 Klein, Qwen-Image and its Edit, Z-Image; LoRAs and
    IP-Adapters where the family has them. An option that a family lacks is an
    error that names the families that have it.
    """
    from .farm.refining import Options
    from .farm.refining import refine as run

    knobs = {"strength": strength != "none", "negative_prompt": bool(negative_prompt), "mask": masked}
    controls = [_control(text) for text in controlnet or ()]
    if (ip_adapter is None) != (ip_image is None):
        raise UsageError("an IP-Adapter needs its picture: give both --ip-adapter and --ip-image, or neither")
    asked = request({
        "model": model, "license": license, "training_data": training_data,
        "knobs": [name for name, asked in knobs.items() if asked],
        "controlnets": [path for _, path in controls], "picture_control": "picture" in dict(controls),
        "loras": [_lora(text) for text in lora or ()],
        "ip_adapter": {"path": str(ip_adapter), "image": str(ip_image), "scale": ip_scale} if ip_adapter else None,
        "variant": variant, "safety_checker": safety_checker,
        "placing": {
            "device": device, "precision": precision, "offload": offload, "quantise": quantise, "compiled": compiled,
            "vae_tiling": vae_tiling, "vae_slicing": vae_slicing, "threads": threads,
        },
    })  # fmt: skip
    plan = _plan({
        "negative_prompt": negative_prompt, "strength": None if strength == "none" else strength, "steps": steps,
        "guidance": guidance, "controls": [kind for kind, _ in controls if kind != "picture"], "seed": seed,
        "control_scale": control_scale, "batch": batch,
        "freedom": {"background": background, "objects": objects, "band_px": band_px},
    }, [*(prompt or ()), *_prompts(prompt_file)])  # fmt: skip
    who = executor_of(executor, ray, per_gpu, cores, shard, shards, workers)
    options = Options(workers or 1, timeout, stop=Stop(grace), count=count)
    with going_on(options.stop, "images"), rendering(0, "refining") as (begin, advance):
        result = run(dataset, out, asked, plan, options, advance, begin, tell_model, who)
    tell_stopped(result, options.stop)
    _tell_refined(result, as_json)


def tell_model(card: Any) -> None:
    """What was loaded, and loudly what is wrong with it."""
    console.print(
        f"model {escape(card.model.id)} ({card.family}, {card.pipeline}) in {card.precision} on {escape(card.device)}; "
        f"licence {escape(card.license)}", soft_wrap=True,
    )  # fmt: skip
    for note in card.notes:
        console.print(f"[bold yellow]NOTE, and it follows the images:[/] {escape(note)}", soft_wrap=True)


def _tell_refined(result: Any, as_json: bool) -> None:
    """How the images came out; exit code 3 when some are missing, and loud words when most are renders."""
    derived = result.info.derived
    said = derived.model.notes if derived.model else ()
    for note in [n for n in derived.notes if n not in said]:
        console.print(f"[bold yellow]NOTE:[/] {escape(note)}", soft_wrap=True)
    counts = {"first_try": 0, "refined": 0, "pasted": 0, "fallback": 0} | derived.outcomes
    there = result.info.counts.images
    if as_json:
        failed = {str(i): reason for i, reason in result.failed.items()}
        print(json.dumps({"images": there, "made": result.made, "failed": failed, **counts, "free": derived.free}))
    else:
        print(
            f"{result.folder}: {there} images ({result.made} new): {counts['first_try']} refined at first try, "
            f"{counts['refined'] - counts['first_try']} more gently, {counts['pasted']} with objects pasted back, "
            f"{counts['fallback']} as rendered; {derived.free or 0:.0%} of their pixels were free to change"
        )
    lost = counts["pasted"] + counts["fallback"]
    if there and lost > MOSTLY * there:
        console.print(
            f"[bold red]MOST IMAGES DID NOT KEEP THEIR LABELS: of {there} {counts['fallback']} fell back, "
            f"{counts['pasted']} got objects pasted back.[/] Lower --strength or --objects, or bring ControlNets; "
            "records/ has all scores", soft_wrap=True,
        )  # fmt: skip
    if derived.free is not None and derived.free < LEAST_FREE:
        console.print(
            f"[bold red]ONLY {derived.free:.1%} OF THE PIXELS WERE FREE TO CHANGE:[/] the rest are objects whose "
            "outlines the renders show too faintly to be checked, what is near outlines or defects, and what "
            "--background and --objects hold", soft_wrap=True,
        )  # fmt: skip
    if not result.complete:
        listed = ", ".join(map(str, [*result.failed][:10])) + (", …" if len(result.failed) > 10 else "")
        console.print(f"[red]{len(result.failed)} failed[/] ({listed}): run the same command to try again")
        raise typer.Exit(PARTIAL if there else NOTHING)


def request(asked: dict[str, Any]) -> Any:
    """What is to be loaded, checked."""
    from .farm.refining import REQUEST

    return checked(lambda: REQUEST.validate_python(asked))


def _plan(asked: dict[str, Any], prompts: list[str]) -> Any:
    from .diffusion.plan import Plan

    return checked(lambda: Plan.model_validate(asked | ({"prompts": prompts} if prompts else {}))).checked()


def checked(make: Callable[[], Any]) -> Any:
    """What pydantic makes; UsageError for what it refuses."""
    from pydantic import ValidationError

    try:
        return make()
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        name = str(fault["loc"][-1]).replace("_", "-")
        raise UsageError(f"--{name}: {fault['msg']}, got {fault['input']!r}") from error


def _control(text: str) -> tuple[str, str]:
    """KIND=MODEL."""
    from .diffusion.control import CONTROLS

    kind, _, path = text.partition("=")
    if kind not in (*CONTROLS, "picture") or not path:
        raise UsageError(f"--controlnet is KIND=MODEL, where KIND is {', '.join(CONTROLS)} or picture; got {text!r}")
    return kind, path


def _lora(text: str) -> dict[str, Any]:
    """FILE or FILE:SCALE."""
    path, colon, scale = text.rpartition(":")
    if not colon:
        return {"path": text}
    try:
        return {"path": path, "scale": float(scale)}
    except ValueError:
        return {"path": text}


def _prompts(path: Path | None) -> list[str]:
    """The prompts of a file: its lines, without empty ones and comments."""
    if path is None:
        return []
    try:
        lines = [line.strip() for line in path.read_text("utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--prompt-file {path} cannot be read: {error}") from error
    found = [line for line in lines if line and not line.startswith("#")]
    if not found:
        raise UsageError(f"--prompt-file {path} has no prompt: write one on each line")
    return found
