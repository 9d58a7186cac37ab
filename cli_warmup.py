"""`warmup`: fill a machine's kernel caches before its workers need them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from rich.markup import escape

from .cli_farm import JsonOption, TimeoutOption
from .terminal import console

__all__ = ["warmup"]

MIB = 1 << 20


def warmup(
    device: Annotated[
        list[str] | None,
        typer.Option(help="As in generate; repeatable. Default: auto, which is what generate takes by default."),
    ] = None,
    engine: Annotated[list[str] | None, typer.Option(help="cycles or eevee; repeatable. Default: cycles.")] = None,
    timeout: TimeoutOption = 1800.0,
    again: Annotated[bool, typer.Option("--again", help="Also what an earlier run has done.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Fill the kernel caches of this machine, once, before its workers need them.

    Renders tiny scenes on one GPU of each model. What is done is not done again; of many processes that ask at the
    same time one compiles, and the others wait for it.
    """
    from .farm.warmup import caches, warm_up

    before = {cache.name: cache.bytes for cache in caches()}
    done = warm_up(device or ("auto",), engine or ("cycles",), timeout, again, lambda text: console.print(escape(text)))
    kept = [
        {"name": c.name, "path": str(c.path), "before_bytes": before[c.name], "after_bytes": c.bytes} for c in caches()
    ]
    if as_json:
        print(json.dumps({"warmed": [vars(one) for one in done], "caches": kept}))
    else:
        _tell(done, kept)
    if any(one.problem for one in done):
        raise typer.Exit(1)


def _tell(done: Sequence[Any], kept: Sequence[dict[str, Any]]) -> None:
    for one in done:
        where = f"{one.engine}, {one.wish}" + (f" on {one.gpu}" if one.gpu else "")
        if one.problem:
            print(f"FAIL {where}: {one.problem}")
        elif one.already:
            print(f"ok   {where}: done before, by {one.device}")
        elif one.device == "cpu":
            print(f"ok   {where}: the CPU renders here, for which nothing is compiled")
        else:
            print(f"ok   {where}: {one.device}, {one.seconds:.1f} s")
    if any(one.gpu for one in done):
        for cache in kept:
            before, after = cache["before_bytes"] / MIB, cache["after_bytes"] / MIB
            print(f"     {cache['name']} keeps {after:.1f} MiB in {cache['path']} ({after - before:+.1f})")
