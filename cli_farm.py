"""Commands that make datasets of renders: `generate`, `twins`; and the arguments that commands share."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from .cli_executors import (
    GRACE_S,
    ExecutorOption,
    GraceOption,
    MemoryOption,
    PerGpuOption,
    RayOption,
    ShardOption,
    ShardsOption,
    Stop,
    ThreadsOption,
    WorkersOption,
    executor_of,
    going_on,
    options_of,
    tell_stopped,
)
from .cli_places import Dataset, NewDataset, fetch
from .errors import UsageError
from .terminal import Stopped, console, rendering

if TYPE_CHECKING:
    from .farm.executors import Executor
    from .farm.generate import Result
    from .farm.options import Options

__all__ = [
    "NOTHING", "PARTIAL", "AllowOption", "DeviceOption", "JsonOption", "RecipeArg", "SeedOption", "SetOption",
    "TimeoutOption", "add_commands", "load",
]  # fmt: skip

NOTHING, PARTIAL = 1, 3

RecipeArg = Annotated[str, typer.Argument(help="A built-in recipe (see `scenewright recipes`) or a YAML file.")]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="PATH=VALUE", help="Change a recipe value, e.g. camera.distance.high=2.5. Repeatable."
    ),
]
AllowOption = Annotated[
    list[Path] | None,
    typer.Option("--allow", metavar="FOLDER", help="Let the recipe read this folder too, besides its own. Repeatable."),
]
PresetOption = Annotated[
    str | None,
    typer.Option(help="draft, fast or standard: about 1, 4 or 9 % of what 1024 samples cost; high: half."),
]
SizeOption = Annotated[str | None, typer.Option(metavar="WxH", help="Image size in pixels, e.g. 640x480.")]
SeedOption = Annotated[int, typer.Option(min=0, help="Another seed is another dataset.")]
DeviceOption = Annotated[str, typer.Option(help="auto, cpu, cuda, optix, hip, oneapi or metal.")]
TimeoutOption = Annotated[float, typer.Option(help="Seconds after which one image's render counts as hung.")]
PriceOption = Annotated[float | None, typer.Option(min=0, help="What an hour of a node costs.")]
CurrencyOption = Annotated[str, typer.Option(help="What that is in.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


def add_commands(app: typer.Typer) -> None:
    """Put the commands of this file into the command line, in the order of the help text."""
    for command in (generate, twins, status, fetch):
        app.command()(command)


def generate(
    recipe: RecipeArg,
    out: NewDataset,
    count: Annotated[int, typer.Option(min=1, help="Number of images.")] = 100,
    preset: PresetOption = None,
    size: SizeOption = None,
    seed: SeedOption = 0,
    executor: ExecutorOption = "local",
    workers: WorkersOption = None,
    device: DeviceOption = "auto",
    threads: ThreadsOption = None,
    memory: MemoryOption = None,
    timeout: TimeoutOption = 1800.0,
    grace: GraceOption = GRACE_S,
    ray: RayOption = "auto",
    per_gpu: PerGpuOption = None,
    shard: ShardOption = None,
    shards: ShardsOption = None,
    retry: Annotated[
        bool, typer.Option("--retry", help="Try images again that were put aside because they failed.")
    ] = False,
    plan: Annotated[bool, typer.Option("--plan", help="Make a pilot, and say what the rest will take.")] = False,
    pilot: Annotated[
        int | None, typer.Option(min=1, help="Images of the pilot. Default: 8, and two for each worker at least.")
    ] = None,
    nodes: Annotated[
        int | None, typer.Option(min=1, help="Machines like this one that shall make the rest. Default: 1.")
    ] = None,
    price: PriceOption = None,
    currency: CurrencyOption = "USD",
    set_: SetOption = None,
    allow: AllowOption = None,
    as_json: JsonOption = False,
) -> None:
    """Render a labelled dataset, or the images that are still missing in it.

    \b
    --executor local  worker processes on this machine
    --executor ray    on a Ray cluster (--ray), as many as it has room for
    --executor index  one share by its number (--shard of --shards), for job
                      arrays; run all of them, in any order, at any time

    \b
    Exit code 0: all images are there. 3: some are not; the same command goes
    on, and says what was put aside. 1: none could be made. 130: interrupted.
    SIGTERM finishes the images in the making first, for --grace seconds.

    --plan makes some of the images, which stay in the dataset, and says what
    the others will take on --nodes machines with --workers each.
    """
    from .farm.generate import generate as run

    if not plan and (pilot is not None or nodes is not None or price is not None):
        raise UsageError("--pilot, --nodes and --price go with --plan: what a run costs, `scenewright status` tells")
    loaded = load(recipe, preset, size, set_, allow)
    who = executor_of(executor, ray, per_gpu, threads, shard, shards, workers)
    options = options_of(workers, per_gpu, device, threads, memory, timeout, grace)
    if plan:
        _plan((loaded, count, out, seed, options, who), pilot, nodes or 1, price, currency, as_json)
        return
    with going_on(options.stop, "images"), rendering(count) as (begin, advance):
        result = run(
            loaded, count, out, seed=seed, options=options, progress=advance, begin=begin, executor=who, retry=retry
        )
    counts = result.info.counts
    if as_json:
        failed = {str(i): reason for i, reason in sorted(result.failed.items())}
        told = {"rendered": result.rendered, "failed": failed, "impossible": result.impossible}
        print(json.dumps({**counts.model_dump(), **told}))
    else:
        images, annotations = len(result.present), counts.annotations
        more = f", {annotations} annotations" if images == counts.images else ""
        print(f"{out}: {images} images ({result.rendered} new){more}")
    _end(result, options.stop)


def _plan(
    run: tuple[Any, int, Any, int, Options, Executor], images: int | None, nodes: int, price: float | None,
    currency: str, as_json: bool,
) -> None:  # fmt: skip
    from .farm.forecast import Farm, forecast
    from .farm.forecast_text import as_json as told
    from .farm.forecast_text import as_text
    from .farm.pilot import IMAGES, plan

    count, options = run[1], run[4]
    with going_on(options.stop, "images"), rendering(count, "pilot") as (begin, advance):
        _, shown, left = plan(*run, images or IMAGES, advance, lambda todo: begin(todo, todo))
    if options.stop.requested:
        raise Stopped(": the pilot's finished images are kept")
    workers = len(options.environments(count, run[0].render.engine != "flat"))
    farm = Farm(nodes, workers, options.recycle_images)
    found = forecast(shown, count, left, farm, price, currency)
    print(json.dumps(told(found)) if as_json else as_text(found))


def _end(result: Result, stop: Stop) -> None:
    """Say what is missing and what helps, and end with the exit code for it."""
    tell_stopped(result, stop)
    if not result.complete:
        _say_what_is_missing(result)
        raise typer.Exit(NOTHING if result.missing == result.asked else PARTIAL)


def _say_what_is_missing(result: Result) -> None:
    """How many images are there, and for each kind of those that are not, what helps."""
    console.print(f"{result.asked - result.missing} of {result.asked} images are there")
    failed, doubtful = sorted({*result.failed} - {*result.impossible}), result.quarantined
    place = f"{result.folder}/quarantine/{min(failed, default=0):06d}"
    remedy = f"what is known is in {place}; `scenewright rerender {result.folder} {min(failed, default=0)}` shows one"
    _say("failed", failed, f"{remedy}; the same command with --retry tries them again")
    remedy = "change the recipe, or a value of it with --set, and choose another --out"
    _say("cannot be made", result.impossible, f"they fail the same way every time: {remedy}")
    place = f"{result.folder}/quarantine/{min(doubtful, default=0):06d}"
    remedy = f"look at record.json and both id images in {place}, and report it"
    _say("quarantined", doubtful, f"{remedy}; the same versions on the same device render the same again")
    if result.unfinished:
        console.print(f"{result.unfinished} are left to make: run the same command again")


def _say(what: str, images: Sequence[int], remedy: str) -> None:
    if images:
        listed = ", ".join(map(str, images[:10])) + (", …" if len(images) > 10 else "")
        console.print(f"[red]{len(images)} {what}[/] ({listed}): {escape(remedy)}", soft_wrap=True)


def twins(
    dataset: Dataset,
    executor: ExecutorOption = "local",
    workers: WorkersOption = None,
    device: Annotated[
        str, typer.Option(help="As in generate; auto: what the image's record names, no other.")
    ] = "auto",
    threads: ThreadsOption = None,
    memory: MemoryOption = None,
    timeout: TimeoutOption = 1800.0,
    grace: GraceOption = GRACE_S,
    ray: RayOption = "auto",
    per_gpu: PerGpuOption = None,
    shard: ShardOption = None,
    shards: ShardsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Render the images that show defects once more, without them, into the dataset's folder twins/.

    The same scene, device and noise: a pair differs by the defect and the light that it throws. Stopped, it goes on.
    """
    from .farm.generate import add_twins

    who = executor_of(executor, ray, per_gpu, threads, shard, shards, workers)
    options = options_of(workers, per_gpu, device, threads, memory, timeout, grace)
    with going_on(options.stop, "twins"), rendering(0) as (begin, advance):
        result = add_twins(dataset, options, advance, begin, who)
    there = len(result.present)
    if as_json:
        failed = {str(i): reason for i, reason in sorted(result.failed.items())}
        print(json.dumps({"twins": there, "rendered": result.rendered, "failed": failed}))
    else:
        print(f"{result.folder}: {there} twins ({result.rendered} new)")
    _end(result, options.stop)


def status(
    dataset: Dataset,
    price: PriceOption = None,
    currency: CurrencyOption = "USD",
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

    while True:
        found = look(place(dataset), price, currency)
        print(json.dumps(told(found)) if as_json else as_text(found), flush=True)
        if found.complete or watch is None:
            break
        time.sleep(watch)
        if not as_json:
            print()
    if not found.complete:
        raise typer.Exit(PARTIAL if found.done or not found.idle else NOTHING)


def load(
    recipe: str, preset: str | None, size: str | None, changes: list[str] | None, allow: list[Path] | None = None
) -> Any:
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

    loaded = load_recipe(recipe, extra, allow or ())
    for note in mesh_notes(loaded):
        console.print(f"[yellow]note:[/] {escape(note)}", soft_wrap=True)
    return loaded
