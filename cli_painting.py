"""The command that paints defects into a finished dataset."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from .cli_refining import MOSTLY, NOTHING, PARTIAL, Out, Source, checked, going_on, request, tell_model
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
    license: Annotated[str, typer.Option(help="Your model's licence, as its card states it, or `unknown`.")] = "",
    training_data: Annotated[str, typer.Option(help="What it was trained on, as far as it is stated.")] = "",
    prompt: Annotated[str | None, typer.Option(help="What it is told; {kind} and {material} are filled in.")] = None,
    negative_prompt: Annotated[str, typer.Option(help="What is not to be seen.")] = "",
    strength: Annotated[
        str, typer.Option(help="Share of the noise in the mask, above 0 up to 1; none for families without it.")
    ] = "1",
    guidance: Annotated[float, typer.Option(min=0, help="How strictly its prompt is followed.")] = 7.0,
    side: Annotated[int, typer.Option(help="It sees a square about the defect at so many pixels a side.")] = 512,
    steps: Annotated[int | None, typer.Option(min=1, help="Denoising steps; default 20, or 30 of your model.")] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes, each with the model.")] = 1,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 or mps.")] = "auto",
    precision: Annotated[str, typer.Option(help="Of your model: auto, float32, float16 or bfloat16.")] = "auto",
    offload: Annotated[str, typer.Option(help="Of your model: none, model or sequential.")] = "none",
    threads: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="On a CPU. Default: 1, so that pictures do not depend on the machine; for your model its share of "
            "cores. More --workers gain more.",
        ),
    ] = None,
    timeout: Annotated[float, typer.Option(help="Seconds after which an image counts as hung.")] = 1800.0,
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
    from .painting import Ask, Options, paint

    if not inpaint:
        raise UsageError(
            "defects of a finished dataset can only be painted: say --inpaint. To render them, give the recipe a "
            "`defects` section"
        )
    if model is None and (given := [n for n, v in (("license", license), ("prompt", prompt)) if v]):
        raise UsageError(
            f"--{given[0]} is about a model of yours, and the embedded one is used: give --model, or leave it out"
        )
    placing = {"device": device, "precision": precision, "offload": offload, "threads": threads}
    words = {
        "negative_prompt": negative_prompt, "strength": None if strength == "none" else strength, "guidance": guidance,
        "side_px": side, **({"prompt": prompt} if prompt else {}), **({"steps": steps} if steps else {}),
    }  # fmt: skip
    asked: dict[str, Any] = {
        "masks": masks, "rate": rate, "seed": seed,
        "kinds": None if kinds is None else tuple(k.strip() for k in kinds.split(",") if k.strip()),
    }  # fmt: skip
    if model is None:
        asked |= {"steps": steps, "placing": _placing(placing | {"threads": threads or 1})}
    else:
        knobs = [
            "mask",
            *(["strength"] if strength != "none" else []),
            *(["negative_prompt"] if negative_prompt else []),
        ]
        told = {"model": model, "license": license, "training_data": training_data, "knobs": knobs, "placing": placing}
        asked |= {"model": request(told), "words": _words(words)}
    with going_on(), rendering(0, "painting") as (begin, advance):
        result = paint(dataset, out, Ask(**asked), Options(workers, timeout), advance, begin, tell_model)
    _tell_painted(result, as_json)


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
        console.print(
            "[bold red]NOTHING WAS REQUESTED:[/] no image has a defect that is painted and would be seen; raise "
            "--rate, or bring --masks",
            soft_wrap=True,
        )
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


def _listed(what: str, images: Sequence[int], remedy: str) -> None:
    if images:
        listed = ", ".join(map(str, images[:10])) + (", …" if len(images) > 10 else "")
        console.print(f"[red]{len(images)} {what}[/] ({listed}): {remedy}", soft_wrap=True)


def _placing(asked: dict[str, Any]) -> Any:
    from .painting import PLACING

    return checked(lambda: PLACING.validate_python(asked))


def _words(asked: dict[str, Any]) -> Any:
    from .diffusion.paint_plan import Words

    return checked(lambda: Words.model_validate(asked))
