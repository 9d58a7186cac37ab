"""The command that paints defects into a finished dataset."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

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
from .cli_refining import MOSTLY, NOTHING, PARTIAL, Out, Source, checked, request, tell_model
from .errors import UsageError
from .terminal import console, rendering

__all__ = ["defects"]


def defects(
    dataset: Source,
    out: Out,
    inpaint: Annotated[bool, typer.Option("--inpaint", help="Paint them: say it, there is no other way yet.")] = False,
    masks: Annotated[
        Path | None,
        typer.Option(
            help="A folder with your masks: 000017.scratch.png, or with a severity 000017.scratch.0.6.png. What is not "
            "black is painted, as one defect per labelled object with 24 px of it, and where it has most; half of a "
            "mask must lie on such. Where masks overlap, the first by name has the pixel."
        ),
    ] = None,
    rate: Annotated[
        float | None, typer.Option(help="Draw defects anew: share of the labelled objects that have one.")
    ] = None,
    kinds: Annotated[
        str | None, typer.Option(metavar="KIND,…", help="Draw defects anew, of these kinds. Default: all that occur.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Another seed, other paint; and other defects, where drawn.")] = 0,
    model: Annotated[
        str | None,
        typer.Option(help="An inpainting model of yours: folder or owner/name@revision. Default: the embedded one."),
    ] = None,
    license: Annotated[
        str | None, typer.Option(help="Your model's licence, as its card states it, or `unknown`.")
    ] = None,
    training_data: Annotated[
        str | None, typer.Option(help="Of your model: what it was trained on, as far as it is stated.")
    ] = None,
    prompt: Annotated[str | None, typer.Option(help="Your model is told it; {kind}, {material} are filled in.")] = None,
    negative_prompt: Annotated[str | None, typer.Option(help="Of your model: what is not to be seen.")] = None,
    strength: Annotated[
        str | None,
        typer.Option(
            help="Of your model: share of the noise in the mask, above 0 up to 1 (default), or none for families "
            "without it."
        ),
    ] = None,
    guidance: Annotated[
        float | None, typer.Option(min=0, help="Of your model: how strictly its prompt is followed. Default: 7.")
    ] = None,
    side: Annotated[
        int | None,
        typer.Option(help="Your model sees a square about the defect at so many pixels a side. Default: 512."),
    ] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Denoising steps; default 20, or 30 of your model.")] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes, each with the model. Default: 1.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 or mps.")] = "auto",
    precision: Annotated[
        str | None, typer.Option(help="Of your model: auto (default), float32, float16 or bfloat16.")
    ] = None,
    offload: Annotated[str | None, typer.Option(help="Of your model: none (default), model or sequential.")] = None,
    threads: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="On a CPU. Default: 1, so that pictures do not depend on the machine; for your model its share of "
            "cores. More --workers gain more.",
        ),
    ] = None,
    timeout: Annotated[float, typer.Option(help="Seconds after which an image counts as hung.")] = 1800.0,
    grace: GraceOption = GRACE_S,
    executor: ExecutorOption = "local",
    ray: RayOption = "auto",
    per_gpu: PerGpuOption = None,
    cores: CoresOption = 1,
    shard: ShardOption = None,
    shards: ShardsOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Paint defects into sound pictures, and label what has really changed.

    \b
    Into the twins of images with defects these are painted again where the
    render had them; into other pictures, or with --rate or --kinds, defects
    are drawn as a recipe's `defects` would; or your --masks say where.
    A defect counts when half of its mask has changed visibly; else it is
    tried again, and given up in the end: that part stays sound. What was
    asked for, what was rendered and what has changed is all recorded.
    Needs the extra: pip install 'scenewright\\[diffusion]'.
    """
    from .farm.painting import Ask, Options, paint

    if not inpaint:
        raise UsageError(
            "defects of a finished dataset can only be painted: say --inpaint. To render them, give the recipe a "
            "`defects` section"
        )
    about = {
        "license": license, "training_data": training_data, "prompt": prompt, "negative_prompt": negative_prompt,
        "strength": strength, "guidance": guidance, "side": side, "precision": precision, "offload": offload,
    }  # fmt: skip
    placing = {"device": device, "threads": threads}
    asked: dict[str, Any] = {
        "masks": masks, "rate": rate, "seed": seed,
        "kinds": None if kinds is None else tuple(k.strip() for k in kinds.split(",") if k.strip()),
    }  # fmt: skip
    if model is None:
        if given := [name.replace("_", "-") for name, value in about.items() if value is not None]:
            raise UsageError(
                f"--{given[0]} is about a model of yours, and the embedded one is used: give --model, or leave it out"
            )
        asked |= {"steps": steps, "placing": _placing(placing | {"threads": threads or 1})}
    else:
        asked |= _of_a_model(model, steps, {k: v for k, v in about.items() if v is not None}, placing)
    who = executor_of(executor, ray, per_gpu, cores, shard, shards, workers)
    options = Options(workers or 1, timeout, stop=Stop(grace))
    with going_on(options.stop, "images"), rendering(0, "painting") as (begin, advance):
        result = paint(dataset, out, Ask(**asked), options, advance, begin, tell_model, who)
    tell_stopped(result, options.stop)
    _tell_painted(result, as_json)


def _of_a_model(model: str, steps: int | None, given: dict[str, Any], placing: dict[str, Any]) -> dict[str, Any]:
    """What is asked of a model of the user's; what is not given has the default of what it is a part of."""
    knobs = ["mask", "strength", *(["negative_prompt"] if given.get("negative_prompt") else [])]
    words: dict[str, Any] = {k: given[k] for k in ("prompt", "negative_prompt", "strength", "guidance") if k in given}
    if given.get("strength") == "none":
        words["strength"] = None
        knobs.remove("strength")
    words |= {"side_px": given["side"]} if "side" in given else {}
    words |= {} if steps is None else {"steps": steps}
    placing = placing | {k: given[k] for k in ("precision", "offload") if k in given}
    told = {"model": model, "license": given.get("license", ""), "knobs": knobs, "placing": placing}
    told |= {"training_data": given["training_data"]} if given.get("training_data") else {}
    return {"model": request(told), "words": _words(words)}


def _tell_painted(result: Any, as_json: bool) -> None:
    """What became of the requests; exit code 3 when images are missing, and loud words when most were refused."""
    images = {"painted": 0, "fallback": 0} | result.info.derived.outcomes
    there, wanted, done = result.info.counts.images, sum(result.requested.values()), sum(result.accepted.values())
    if as_json:
        counts = {k: {"requested": n, "accepted": result.accepted[k]} for k, n in result.requested.items()}
        failed = {str(i): reason for i, reason in result.failed.items()}
        told = {"images": there, "made": result.made, **images, "defects": counts}
        print(json.dumps({**told, "failed": failed, "impossible": result.impossible}))
    else:
        print(f"{result.folder}: {there} images ({result.made} new), {images['painted']} with painted defects")
        for kind, n in result.requested.items():
            print(f"  {kind:12} {n} requested, {result.accepted[kind]} accepted, {n - result.accepted[kind]} refused")
    if not wanted and there:
        console.print(f"[bold red]NOTHING WAS REQUESTED:[/] {_why_nothing(result)}", soft_wrap=True)
    if wanted and done < (1 - MOSTLY) * wanted:
        console.print(
            f"[bold red]MOST DEFECTS WERE REFUSED: {wanted - done} of {wanted}.[/] What was painted hardly shows; "
            "records/ say why", soft_wrap=True,
        )  # fmt: skip
    if not result.complete:
        again = [i for i in result.failed if i not in result.impossible]
        _listed("failed", again, "run the same command to try again")
        _listed("cannot be made", result.impossible, "they fail the same way every time")
        raise typer.Exit(PARTIAL if there else NOTHING)


def _why_nothing(result: Any) -> str:
    """Why no image that is there has a request, and what helps."""
    return {
        "rendered": "no image of the source has a rendered defect that is painted and large enough to be seen; draw "
        "others with --rate, or bring --masks",
        "drawn": "no image got a defect that would be seen; raise --rate, or bring --masks",
        "asked": "none of the images that your masks are for could be made",
    }[result.info.derived.plan["requests"]]


def _listed(what: str, images: Sequence[int], remedy: str) -> None:
    if images:
        listed = ", ".join(map(str, images[:10])) + (", …" if len(images) > 10 else "")
        console.print(f"[red]{len(images)} {what}[/] ({listed}): {remedy}", soft_wrap=True)


def _placing(asked: dict[str, Any]) -> Any:
    from .farm.painting import PLACING

    return checked(lambda: PLACING.validate_python(asked))


def _words(asked: dict[str, Any]) -> Any:
    from .diffusion.paint_plan import Words

    return checked(lambda: Words.model_validate(asked))
