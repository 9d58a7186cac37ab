"""Where datasets are, as arguments of commands, and the command `fetch`, which copies one from a bucket."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from .datasets.place import local_folder, place
from .errors import UsageError
from .terminal import Stopped, console, steps

__all__ = ["Dataset", "LocalDataset", "NewDataset", "fetch"]

Dataset = Annotated[str, typer.Argument(metavar="DATASET", help="A dataset: its folder, or its URL in a bucket.")]
NewDataset = Annotated[
    str,
    typer.Option(
        metavar="PLACE", help="Folder of the dataset, or s3://, gs:// or az://; a run that was stopped goes on there."
    ),
]
LocalDataset = Annotated[
    Path, typer.Argument(parser=local_folder, metavar="DATASET", help="Folder of a dataset, as given to --out.")
]


def fetch(
    dataset: Dataset,
    out: Annotated[Path, typer.Argument(parser=local_folder, metavar="FOLDER", help="Where the copy shall be.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Copy a dataset from a bucket into a folder, checking every picture; stopped, it goes on.

    It may be done while the dataset is still made: what is finished is copied.
    """
    from .datasets.fetch import fetch as copy

    source = place(dataset)
    if isinstance(source, Path):
        raise UsageError(f"{dataset} is a folder already: name a dataset in a bucket, such as s3://bucket/folder")
    try:
        with steps("fetching") as begin:
            found = copy(source, out, begin)
    except Stopped:
        raise Stopped(": the same command goes on from here") from None
    if as_json:
        print(json.dumps(vars(found)))
    else:
        print(f"{out}: {found.images} images ({found.copied} copied)")
    if found.images < found.requested:
        console.print(f"{found.requested - found.images} of {found.requested} are not finished: fetch again later")
