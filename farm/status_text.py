"""A `Status` in words, and as plain JSON."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from .status import Cost, Rate, Status, Work, Worker

__all__ = ["as_json", "as_text", "duration", "money"]

#: Processes and reasons that are named; more are counted.
NAMED = 12
IMAGES_NAMED = 6


def as_json(found: Status) -> dict[str, Any]:
    """Everything that is known, for machines: seconds, hours and shares as numbers, times of day as UTC."""
    told = asdict(found)
    for worker, source in zip(told["work"]["workers"], found.work.workers, strict=True):
        worker["busy"] = [b.model_dump(mode="json") for b in source.busy]
    told |= {"waiting": found.waiting, "complete": found.complete, "idle": found.idle}
    if found.twins is not None:
        told["twins"] = as_json(found.twins)
    return told


def as_text(found: Status) -> str:
    """The same for people, in lines."""
    lines = [*_lines(found)]
    if found.twins is not None:
        lines += ["", *_lines(found.twins)]
    return "\n".join(lines)


def duration(seconds: float) -> str:
    """Seconds in the two largest units that say anything: 3 d 4 h, 12 min 5 s, 0.4 s."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole, parts = round(seconds), list[str]()
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        count, whole = divmod(whole, size)
        if count or parts:
            parts.append(f"{count} {unit}")
    return " ".join(p for p in parts[:2] if p[0] != "0")


def money(amount: float) -> str:
    """Two digits after the point, and of less than one three that say something."""
    return f"{amount:,.2f}" if amount >= 1 or amount == 0 else f"{amount:.3g}"


def _lines(found: Status) -> Iterator[str]:
    yield f"{found.place}: {found.kind} of {found.name}" if found.kind != "renders" else f"{found.place}: {found.name}"
    yield f"  {'done':12} {_of(found.done, found.requested)}"
    yield f"  {'running':12} {_running(found)}"
    if found.waiting:
        yield f"  {'waiting':12} {found.waiting:,}"
    for name in ("quarantined", "failed", "impossible"):
        if count := getattr(found, name):
            yield f"  {name:12} {count:,}"
    yield f"  {'rate':12} {_rate(found.rate)}"
    yield f"  {'time left':12} {_left(found)}"
    yield from _cost(found.cost)
    yield from _work(found.work)
    if found.reasons:
        yield "why images are not there"
    for group in found.reasons[:NAMED]:
        more = f", and {group.count - 1} like it" if group.count > 1 else ""
        yield f"  {group.status}: image {group.example}{more}: {group.reason}"
    if len(found.reasons) > NAMED:
        yield f"  and {len(found.reasons) - NAMED} other reasons"
    if found.future:
        yield f"a clock was set back: {found.future:,} records seem to be from the future, and the rate is too low"


def _of(done: int, requested: int | None) -> str:
    if not requested:
        return f"{done:,}"
    return f"{done:,} of {requested:,} ({100 * done / requested:.1f} %)"


def _running(found: Status) -> str:
    alive = [w for w in found.work.workers if w.state == "alive"]
    if not alive:
        return "nothing; nobody works on it" + ("" if found.complete else ", the command that made it goes on")
    hosts = len({w.host for w in alive})
    return f"{_count(found.running, 'image')}, {_count(len(alive), 'process')} on {_count(hosts, 'host')}"


def _rate(rate: Rate) -> str:
    if rate.last_10_min is not None and rate.last_10_min == rate.last_60_min:
        return f"{rate.last_10_min:,.1f} images/h since the work began"
    known = ((rate.last_10_min, "10 minutes"), (rate.last_60_min, "60 minutes"))
    told = [f"{value:,.1f} images/h in the last {window}" for value, window in known if value is not None]
    return ", ".join(told) or "too little work to tell"


def _left(found: Status) -> str:
    if found.complete:
        return "none, all images are there"
    if found.rate.seconds_left is None:
        return "unknown"
    by = "what an image takes" if found.rate.source == "heartbeats" else f"the rate of the {found.rate.source}"
    return f"{duration(found.rate.seconds_left)}, by {by.replace('min', 'minutes')}"


def _cost(cost: Cost) -> Iterator[str]:
    if not cost.nodes:
        return
    left = "" if cost.node_hours_left is None else f", {cost.node_hours_left:.3g} more to the end"
    yield f"  {'node-hours':12} {cost.node_hours:.3g} on {_count(cost.nodes, 'node')}{left}"
    if cost.so_far is None:
        return
    parts = [f"{money(cost.so_far)} {cost.currency} so far"]
    parts += [] if cost.per_image is None else [f"{money(cost.per_image)} an image"]
    parts += [] if cost.to_the_end is None else [f"{money(cost.to_the_end)} more to the end"]
    yield f"  {'cost':12} {', '.join(parts)}, at {cost.price:g} {cost.currency} for an hour of a node"


def _work(work: Work) -> Iterator[str]:
    if work.images:
        yield (
            f"  {'an image':12} {duration(work.mean_s)} in the mean, median {duration(work.median_s)}, "
            f"90 % within {duration(work.p90_s)}, longest {duration(work.longest_s)}"
        )
    if work.workers:
        yield "at work"
    order = sorted(work.workers, key=lambda w: (w.state != "lost", w.name))
    yield from (f"  {_worker(w)}" for w in order[:NAMED])
    if len(order) > NAMED:
        yield f"  and {len(order) - NAMED} more"
    if work.ended:
        yield f"  {_count(work.ended, 'process')} ended in order"


def _worker(worker: Worker) -> str:
    gpus = f" ({', '.join(worker.gpus)})" if worker.gpus and worker.device != "cpu" else ""
    who = f"{worker.host} {worker.pid} ({_count(worker.slots, 'slot')} on {worker.device}{gpus})"
    longest = sorted(worker.busy, key=lambda b: -b.seconds)
    if worker.state == "lost":
        had = f", had {_count(len(longest), 'image')}" if longest else ""
        return f"{who} LOST: last sign of life {duration(abs(worker.age_s))} ago{had}"
    doing = ", ".join(f"{b.index} for {duration(b.seconds)}" for b in longest[:IMAGES_NAMED])
    more = ", …" if len(longest) > IMAGES_NAMED else ""
    made = f"{worker.counts.get('ok', 0):,} made in {duration(worker.alive_s)}"
    then = f"{duration(max(0.0, worker.age_s))} ago"
    return f"{who} {then}: {f'image {doing}{more}' if doing else 'starting'}; {made}"


def _count(number: int, what: str) -> str:
    plural = "" if number == 1 else "es" if what.endswith("ss") else "s"
    return f"{number:,} {what}{plural}"
