"""The command that copies a dataset into the layout of another tool."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from .cli_executors import (
    GRACE_S,
    ExecutorOption,
    GraceOption,
    RayOption,
    ShardOption,
    ShardsOption,
    Stop,
    executor_of,
    going_on,
    tell_stopped,
)
from .cli_farm import JsonOption
from .cli_places import LocalDataset
from .datasets.place import local_folder
from .terminal import Stopped, console, steps

if TYPE_CHECKING:
    from .farm.exporting import Result

__all__ = ["export"]


def export(
    dataset: LocalDataset,
    to: Annotated[str, typer.Option(metavar="FORMAT", help="One of the formats above.")],
    out: Annotated[
        Path,
        typer.Option(
            parser=local_folder, metavar="FOLDER", help="Folder to write; an export that was stopped goes on there."
        ),
    ],
    split: Annotated[
        list[str] | None, typer.Option(metavar="SPLIT", help="train or val; repeatable. Default: both.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes that write side by side. Default: this one alone.")
    ] = None,
    grace: GraceOption = GRACE_S,
    executor: ExecutorOption = "local",
    ray: RayOption = "auto",
    shard: ShardOption = None,
    shards: ShardsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Copy a dataset into the layout of another tool. The dataset stays as it is, and nothing is overwritten.

    \b
    coco-polygons  COCO with polygons, for readers that take no run lengths
                   (Hugging Face's DETR): train/, val/, annotations/
    rf-detr        the same as train/, valid/ and test/, each with its
                   _annotations.coco.json; test is valid once more
    yolo           images/, labels/, data.yaml: an outline for each object
    yolo-detect    the same: a box for each object
    label-studio   tasks_train.json to import, label_config.xml, images/
    panoptic       COCO panoptic where panopticapi looks for it: pictures,
                   annotations/panoptic_train.json and its folder of PNGs;
                   the recipe must ask for the output panoptic
    bop            BOP's scenewise layout: train_pbr/, val_pbr/ with poses,
                   masks, depth; models/ in mm, one for each different mesh
    mvtec-ad       MVTec AD's tree: train/good, test/good, test/KIND and
                   ground_truth/KIND, as tools for anomalies read it
    visa           VisA's layout with split_csv/1cls.csv
    pairs          images with defects beside their sound twins, with masks
                   and pairs.csv; needs twins

    \b
    Polygons run along the edges of pixels and lose nothing; a slit of no
    width leads to each hole, and in yolo and label-studio to each further
    part of an object.
    bop refuses lenses, and writes no symmetries of models.

    \b
    --executor local   this process, or --workers on this machine
               ray     tasks on a Ray cluster, see --ray
               index   one share by its number, for job arrays; the share
                       that ends last writes the files of the whole
    """
    from .farm.executors import Local
    from .farm.exporting import Options
    from .farm.exporting import export as run

    who = executor_of(executor, ray, 0, 1, shard, shards, workers)
    options = Options(workers, Stop(grace))
    try:
        with ExitStack() as stack:
            if workers is not None or not isinstance(who, Local):
                stack.enter_context(going_on(options.stop, "blocks of images"))
            result = run(dataset, to, out, split or (), options, who, stack.enter_context(steps("exporting")))
    except Stopped:
        raise Stopped(": the same command goes on from here") from None
    tell_stopped(result, options.stop)
    _tell(result, out, as_json)


def _tell(result: Result, out: Path, as_json: bool) -> None:
    done = result.export
    if done is None:
        told = f"{out}: this share is written; {result.elsewhere} images are left to others"
        print(json.dumps({"left": result.elsewhere}) if as_json else told)
        return
    if as_json:
        print(json.dumps(vars(done)))
        return
    images = ", ".join(f"{count} images of {name}" for name, count in done.images.items())
    print(f"{out}: {images}, {done.annotations} annotations")
    for note in done.notes:
        console.print(f"[yellow]note:[/] {escape(note)}", soft_wrap=True)
