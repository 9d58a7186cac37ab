"""A `Forecast` in words, and as plain JSON."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from .forecast import Forecast, Span
from .status_text import duration, money

__all__ = ["as_json", "as_text", "size"]


def as_json(found: Forecast) -> dict[str, Any]:
    """Everything that is known, for machines."""
    return asdict(found)


def as_text(found: Forecast) -> str:
    """The same for people, in lines."""
    return "\n".join(_lines(found))


def size(number: float) -> str:
    """Bytes in a decimal unit."""
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if number < 1000 or unit == "TB":
            return f"{number:.3g} {unit}" if number < 1000 else f"{number:,.0f} {unit}"
        number /= 1000
    raise AssertionError("the loop ends with the last unit")


def _lines(found: Forecast) -> Iterator[str]:
    farm = found.farm
    nodes = "1 node" if farm.nodes == 1 else f"{farm.nodes:,} nodes like this one"
    yield f"{found.left:,} of {found.count:,} images are left to make, by {nodes} with {farm.workers} workers each"
    if found.left:
        yield f"  {'an image':12} {_spread(found.image_s, lambda v: f'{v:.3g} s')} of a worker"
        took = _spread(found.hours, lambda v: f"{v:.3g}")
        yield f"  {'hours':12} {took}, about {duration(found.hours.value * 3600)}"
        yield f"  {'':12} {100 * found.start_share:.1f} % of it before the first images and after the last one"
        yield f"  {'node-hours':12} {_spread(found.node_hours, lambda v: f'{v:.3g}')}"
    if found.cost is not None:
        told = f"{_spread(found.cost, money)} {found.currency}"
        yield f"  {'cost':12} {told}, at {found.price:g} {found.currency} for an hour of a node"
    yield f"  {'bytes':12} {_spread(found.bytes, size)} in all, {size(found.disk_bytes)} on a disk with 4 KiB blocks"
    yield f"  {'objects':12} {found.objects:,} in all"
    if found.left:
        yield f"  {'requests':12} {found.writes:,} writes and about {found.reads:,} reads, if that is a bucket"


def _spread(span: Span, told: Any) -> str:
    if span.low is None or span.high is None:
        return f"{told(span.value)} (by one image alone)"
    return f"{told(span.value)} ({told(span.low)} to {told(span.high)})"
