"""Where datasets are, as arguments of commands, and the command `fetch`, which copies one from a bucket."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from .datasets.place import folder, place
from .errors import UsageError
from .terminal import Stopped, console, steps

__all__ = ["Dataset", "LocalDataset", "NewDataset", "fetch"]

#: `Place`s: s3://bucket/folder, gs://, az:// or a path. Typer asks the parser, and not the type.
Dataset = Annotated[
    Any, typer.Argument(parser=place, metavar="DATASET", help="A dataset: its folder, or its URL in a bucket.")
]
NewDataset = Annotated[
    Any,
    typer.Option(
        parser=place, metavar="PLACE", help="Folder of the dataset, or s3://, gs:// or az://; a stopped run goes on there."
    ),
]
LocalDataset = Annotated[
    Path, typer.Argument(parser=folder, metavar="DATASET", help="Folder of a dataset, as given to --out.")
]


def fetch(
    dataset: Dataset,
    out: Annotated[Path, typer.Argument(parser=folder, metavar="FOLDER", help="Where the copy shall be.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Copy a dataset from a bucket into a folder, checking every picture; stopped, it goes on.

    It may be done while the dataset is still made: what is finished is copied.
    """
    from .datasets.fetch import fetch as copy

    if isinstance(dataset, Path):
        raise UsageError(f"{dataset} is a folder already: name a dataset in a bucket, such as s3://bucket/folder")
    try:
        with steps("fetching") as begin:
            found = copy(dataset, out, begin)
    except Stopped:
        raise Stopped(": the same command goes on from here") from None
    if as_json:
        print(json.dumps(vars(found)))
    else:
        print(f"{out}: {found.images} images ({found.copied} copied)")
    if found.images < found.requested:
        console.print(f"{found.requested - found.images} of {found.requested} are not finished: fetch again later")
