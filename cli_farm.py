"""Commands that make datasets of renders: `generate`, `twins`; and the arguments that commands share."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from .errors import UsageError
from .terminal import Stopped, console, rendering

__all__ = [
    "NOTHING", "PARTIAL", "Dataset", "DeviceOption", "JsonOption", "RecipeArg", "SeedOption", "SetOption",
    "TimeoutOption", "add_commands", "load",
]  # fmt: skip

NOTHING, PARTIAL = 1, 3

RecipeArg = Annotated[str, typer.Argument(help="A built-in recipe (see `scenewright recipes`) or a YAML file.")]
Dataset = Annotated[Path, typer.Argument(help="Folder of a dataset, as given to --out.")]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="PATH=VALUE", help="Change a recipe value, e.g. camera.distance.high=2.5. Repeatable."
    ),
]
PresetOption = Annotated[
    str | None,
    typer.Option(help="draft, fast or standard: about 1, 4 or 9 % of what 1024 samples cost; high: half."),
]
SizeOption = Annotated[str | None, typer.Option(metavar="WxH", help="Image size in pixels, e.g. 640x480.")]
SeedOption = Annotated[int, typer.Option(min=0, help="Another seed is another dataset.")]
DeviceOption = Annotated[str, typer.Option(help="auto, cpu, cuda, optix, hip, oneapi or metal.")]
TimeoutOption = Annotated[float, typer.Option(help="Seconds after which one image's render counts as hung.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


def add_commands(app: typer.Typer) -> None:
    """Put the commands of this file into the command line, in the order of the help text."""
    for command in (generate, twins, status):
        app.command()(command)


def generate(
    recipe: RecipeArg,
    out: Annotated[Path, typer.Option(help="Folder of the dataset; a run that was stopped goes on there.")],
    count: Annotated[int, typer.Option(min=1, help="Number of images.")] = 100,
    preset: PresetOption = None,
    size: SizeOption = None,
    seed: SeedOption = 0,
    workers: Annotated[int, typer.Option(min=1, help="Render processes; the cores are divided between them.")] = 1,
    device: DeviceOption = "auto",
    timeout: TimeoutOption = 1800.0,
    set_: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Render a labelled dataset, or the images that are still missing in it."""
    from .farm.generate import generate as run
    from .farm.options import Options

    loaded = load(recipe, preset, size, set_)
    options = Options(workers=workers, device=device, timeout_s=timeout)
    try:
        with rendering(count) as (begin, advance):
            result = run(loaded, count, out, seed=seed, options=options, progress=advance, begin=begin)
    except Stopped:
        raise Stopped(": finished images are kept, the same command goes on from here") from None
    counts = result.info.counts
    if as_json:
        failed = {str(i): reason for i, reason in sorted(result.failed.items())}
        told = {"rendered": result.rendered, "failed": failed, "impossible": result.impossible}
        print(json.dumps({**counts.model_dump(), **told}))
    else:
        print(f"{out}: {counts.images} images ({result.rendered} new), {counts.annotations} annotations")
    if not result.complete:
        _say_what_is_missing(result, count)
        raise typer.Exit(NOTHING if result.missing == count else PARTIAL)


def _say_what_is_missing(result: Any, count: int) -> None:
    """How many images are there, and for each kind of those that are not, what helps."""
    console.print(f"{count - result.missing} of {count} images are there")
    _say("failed", sorted({*result.failed} - {*result.impossible}), "run the same command to try again")
    remedy = "change the recipe, or a value of it with --set, and choose another --out"
    _say("cannot be made", result.impossible, f"they fail the same way every time: {remedy}")
    place = f"{result.folder}/quarantine/{min(result.quarantined, default=0):06d}"
    remedy = f"look at record.json and both id images in {place}, and report it"
    _say("quarantined", result.quarantined, f"{remedy}; the same versions on the same device render the same again")


def _say(what: str, images: Sequence[int], remedy: str) -> None:
    if images:
        listed = ", ".join(map(str, images[:10])) + (", …" if len(images) > 10 else "")
        console.print(f"[red]{len(images)} {what}[/] ({listed}): {escape(remedy)}", soft_wrap=True)


def twins(
    dataset: Dataset,
    workers: Annotated[int, typer.Option(min=1, help="Render processes; the cores are divided between them.")] = 1,
    device: Annotated[
        str, typer.Option(help="As in generate; auto: what the image's record names, no other.")
    ] = "auto",
    timeout: TimeoutOption = 1800.0,
    as_json: JsonOption = False,
) -> None:
    """Render the images that show defects once more, without them, into the dataset's folder twins/.

    The same scene, device and noise: a pair differs by the defect and the light that it throws. Stopped, it goes on.
    """
    from .farm.generate import add_twins
    from .farm.options import Options

    options = Options(workers=workers, device=device, timeout_s=timeout)
    try:
        with rendering(0) as (begin, advance):
            result = add_twins(dataset, options, advance, begin)
    except Stopped:
        raise Stopped(": finished twins are kept, the same command goes on from here") from None
    there = len(result.present)
    if as_json:
        failed = {str(i): reason for i, reason in sorted(result.failed.items())}
        print(json.dumps({"twins": there, "rendered": result.rendered, "failed": failed}))
    else:
        print(f"{result.folder}: {there} twins ({result.rendered} new)")
    if not result.complete:
        _say_what_is_missing(result, there + result.missing)
        raise typer.Exit(PARTIAL if there else NOTHING)


def status(
    dataset: Annotated[str, typer.Argument(metavar="PLACE", help="A dataset: its folder, or where it is in a bucket.")],
    price: Annotated[float | None, typer.Option(min=0, help="What an hour of a node costs.")] = None,
    currency: Annotated[str, typer.Option(help="What that is in.")] = "USD",
    as_json: JsonOption = False,
    watch: Annotated[
        float | None, typer.Option(min=0.1, metavar="SECONDS", help="Look again so often, until all images are there.")
    ] = None,
) -> None:
    """How far a dataset is, who works on it, how fast, what is left and what it costs; also while it is made.

    Exit code 0: all images are there. 3: some are not. 1: none is, and nobody works on it.
    """
    from .datasets.place import place
    from .farm.status import status as look
    from .farm.status_text import as_json as told
    from .farm.status_text import as_text

    where = place(dataset)
    while True:
        found = look(where, price, currency)
        print(json.dumps(told(found)) if as_json else as_text(found), flush=True)
        if found.complete or watch is None:
            break
        time.sleep(watch)
        if not as_json:
            print()
    if not found.complete:
        raise typer.Exit(PARTIAL if found.done or not found.idle else NOTHING)


def load(recipe: str, preset: str | None, size: str | None, changes: list[str] | None) -> Any:
    """The recipe of a command's arguments; what is odd about its meshes goes to stderr.

    Raises:
        RecipeError, AssetError, UsageError: what `pipeline.load` raises, or a size that is none.
    """
    from .pipeline import load as load_recipe

    extra = list(changes or [])
    if preset is not None:
        extra.append(f"render.preset={json.dumps(preset)}")
    if size is not None:
        match = re.fullmatch(r"([1-9][0-9]{0,5})[xX]([1-9][0-9]{0,5})", size)
        if match is None:
            raise UsageError(f"--size is WIDTHxHEIGHT in pixels, for example 640x480; got {size!r}")
        extra.append(f"render.size=[{match[1]}, {match[2]}]")
    from .scenes.notes import mesh_notes

    loaded = load_recipe(recipe, extra)
    for note in mesh_notes(loaded):
        console.print(f"[yellow]note:[/] {escape(note)}", soft_wrap=True)
    return loaded
