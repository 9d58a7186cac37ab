"""The command line. Progress and messages go to stderr, results to stdout; exit codes are in `errors.py` and below."""

from __future__ import annotations

import json
import signal
import sys
import tempfile
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.markup import escape

from . import cli_farm, cli_refining
from .cli_export import export
from .cli_farm import (
    NOTHING,
    AllowOption,
    DeviceOption,
    JsonOption,
    RecipeArg,
    SeedOption,
    SetOption,
    TimeoutOption,
    load,
)
from .cli_painting import defects
from .cli_places import Dataset
from .cli_warmup import warmup
from .datasets.place import Place, local_folder, place
from .errors import ScenewrightError, UsageError
from .terminal import Stopped, console, rendering

__all__ = ["app", "main"]

INTERRUPTED = 130
PREVIEW_PX = 320

app = typer.Typer(
    name="scenewright",
    help="Recipes in, exactly labelled images out: COCO datasets rendered with Blender.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

cli_farm.add_commands(app)


@app.command()
def preview(
    recipe: RecipeArg,
    out: Annotated[Path, typer.Option(help="PNG or JPEG file to write.")] = Path("out/preview.png"),
    seed: SeedOption = 0,
    device: DeviceOption = "auto",
    set_: SetOption = None,
    allow: AllowOption = None,
) -> None:
    """Four drafts of 320 pixels, in seconds, with the boxes and masks of the full size drawn in."""
    from .datasets.contact import contact_sheet, write_picture
    from .farm.generate import generate as run
    from .farm.options import Options

    _check_picture(out)
    loaded, options = _small(load(recipe, "draft", None, set_, allow)), Options(device=device)
    with tempfile.TemporaryDirectory(prefix="scenewright-") as folder:
        with rendering(4) as (begin, advance):
            result = run(loaded, 4, Path(folder), seed=seed, options=options, progress=advance, begin=begin)
        if not result.info.counts.images:
            raise typer.Exit(NOTHING)
        write_picture(out, contact_sheet(Path(folder), columns=2, limit=4))
    print(out)


@app.command()
def show(
    dataset: Dataset,
    out: Annotated[Path | None, typer.Option(help="PNG or JPEG file; default: contact.png in the dataset.")] = None,
    columns: Annotated[int, typer.Option(min=1, max=20)] = 4,
    limit: Annotated[int, typer.Option(min=1, max=400, help="Images at most.")] = 12,
    width: Annotated[int | None, typer.Option(min=32, help="Scale each image down to so many pixels.")] = None,
    labels: Annotated[bool, typer.Option(help="Draw boxes, masks and names.")] = True,
) -> None:
    """A contact sheet with boxes, masks and names drawn in."""
    from .datasets.contact import contact_sheet, write_picture

    folder = place(dataset)
    target = out or folder / "contact.png"
    _check_picture(target)
    write_picture(target, contact_sheet(folder, columns=columns, limit=limit, labels=labels, max_width=width))
    print(target)


@app.command()
def validate(
    dataset: Dataset,
    gate: Annotated[
        bool, typer.Option("--gate", help="Measure refined images anew against their renders, about 0.1 s each.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Read everything again and say what is wrong; exit code 1 when anything is, be it an error or a warning."""
    from .datasets.records import quarantined
    from .datasets.validate import validate as check

    folder = place(dataset)
    findings, aside = list(check(folder)), len(quarantined(folder))
    if gate:
        from .farm.rejudging import rejudge

        findings += rejudge(local_folder(dataset))
    if as_json:
        print(json.dumps([{"severity": f.severity, "path": str(f.path), "message": f.message} for f in findings]))
    else:
        for f in findings:
            print(f"{f.severity}: {f.path}: {f.message}")
        print(f"{dataset}: {'nothing wrong' if not findings else f'{len(findings)} findings'}")
    if aside:  # no finding: putting images aside is what keeps the dataset sound
        (console.print if as_json else print)(f"images in quarantine: {aside}")
    if findings:
        raise typer.Exit(1)


app.command()(export)


@app.command()
def rerender(
    dataset: Dataset,
    index: Annotated[int, typer.Argument(min=0, help="Index of the image.")],
    out: Annotated[Path | None, typer.Option(help="PNG or JPEG file; default: rerender-INDEX.png here.")] = None,
    device: Annotated[str | None, typer.Option(help="As in generate; default: the one that the record names.")] = None,
    timeout: TimeoutOption = 1800.0,
) -> None:
    """Render one image again from its record alone, and compare it with the stored one.

    Exit code 1 when the pixels differ, unless --device asked for another device than made them. An image that was put
    aside is rendered from its scene, to see what is wrong with it.
    """
    from .datasets.asset_store import use_assets
    from .datasets.contact import write_picture
    from .datasets.files import exists
    from .datasets.inventory import assets_folder
    from .datasets.records import record_path
    from .farm.aside_scene import aside_scene
    from .farm.one_scene import render_scene
    from .pipeline import rerender as again

    target = out or Path(f"rerender-{index:06d}.png")
    _check_picture(target)
    folder = place(dataset)
    use_assets(assets_folder(folder))
    if not exists(record_path(folder, index)):
        scene, reason = aside_scene(folder, index)
        console.print(f"image {index} was put aside: {escape(reason)}", soft_wrap=True)
        write_picture(target, render_scene(scene, device or "auto", timeout_s=timeout).rgb)
        print(target)
        return
    elsewhere = False

    def render(scene: Any, recorded: str) -> Any:
        nonlocal elsewhere
        elsewhere = device not in (None, recorded)
        return render_scene(scene, device or recorded, timeout_s=timeout)

    frame, same = again(folder, index, render)
    write_picture(target, frame.rgb)
    print(target)
    console.print(
        "pixels are identical to the stored image"
        if same
        else "[yellow]pixels differ from the stored image[/]: its record names the device and the versions that made it"
    )
    if not same and not elsewhere:
        raise typer.Exit(1)


cli_refining.add_commands(app)
app.command()(defects)


@app.command()
def recipes() -> None:
    """The built-in recipes."""
    from .scenes.load import built_in_recipes, load

    for name, path in built_in_recipes().items():
        print(f"{name:16} {load(path).description}")


@app.command()
def schema() -> None:
    """JSON Schema of recipes, for completion and checks in editors."""
    from .scenes.recipe import Recipe

    print(json.dumps(Recipe.model_json_schema(), indent=2))


@app.command()
def doctor(as_json: JsonOption = False) -> None:
    """What this machine lacks for rendering, and how to get it."""
    from .render.doctor import checks

    found = checks()
    if as_json:
        print(json.dumps([vars(c) for c in found]))
    else:
        for c in found:
            print(f"{'ok  ' if c.ok else 'FAIL'} {c.name}: {c.detail}" + (f"\n     → {c.remedy}" if c.remedy else ""))
    if not all(c.ok for c in found):
        raise typer.Exit(1)


app.command()(warmup)


def main() -> NoReturn:
    """Run the command line and exit; deliberate errors are a line each, without a traceback."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)
    try:
        app(standalone_mode=True)
    except ScenewrightError as e:
        console.print(f"[red]error:[/] {escape(str(e))}", soft_wrap=True)
        sys.exit(e.exit_code)
    except Stopped as e:
        console.print(f"interrupted{e}", soft_wrap=True)
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        sys.exit(1)
    except OSError as e:  # the machine's own trouble: no space for temporary files, too many open files, …
        console.print(f"[red]error:[/] {escape(str(e))}", soft_wrap=True)
        sys.exit(1)
    sys.exit(0)


def _stop(*_: object) -> None:
    raise Stopped


def _small(recipe: Any) -> Any:
    """The recipe with its pictures scaled to a longer side of `PREVIEW_PX`, its smallest labels with them, no twins."""
    width, height = recipe.render.size
    size = tuple(max(8, round(n * PREVIEW_PX / max(width, height))) for n in (width, height))
    changes: dict[str, dict[str, Any]] = {"render": {"size": size}}
    for part in ("labels", "defects"):
        if (rules := getattr(recipe, part)) is not None:
            pixels = round(rules.min_pixels * size[0] * size[1] / (width * height))
            changes[part] = {"min_pixels": max(1, pixels)}
    if recipe.defects is not None:  # nobody would see the twins
        changes["defects"]["twins"] = False
    return recipe.model_copy(update={k: getattr(recipe, k).model_copy(update=v) for k, v in changes.items()})


def _check_picture(path: Place) -> None:
    """Refuse a name that cannot be written before minutes are spent on what would go there."""
    if path.suffix.lower() not in (".png", ".jpg", ".jpeg"):
        raise UsageError(f"pictures are written as PNG or JPEG: end --out in .png or .jpg, got {path.name!r}")


if __name__ == "__main__":
    main()
