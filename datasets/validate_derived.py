"""What must hold of images that a diffusion model made of renders, beside what holds of every image."""

from __future__ import annotations

from collections.abc import Iterator

from ..errors import ScenewrightError
from .derived import Derivation, Refinement, card_sha256
from .derived_folder import summary
from .files import exists
from .inventory import is_twins
from .place import Place
from .records import TWINS, DatasetInfo, Record, indices, read_record, record_path
from .validate_variants import variant_messages

__all__ = ["derived_info_messages", "derived_messages"]

AGAIN = "delete the record and run the same command again"


def derived_messages(folder: Place, record: Record, info: DatasetInfo | None) -> Iterator[str]:
    """What is wrong with what one record says of the model that made its picture."""
    derived, whole = record.derived, info.derived if info else None
    if info is not None and (found := _what(record)) not in (allowed := _allowed(folder, whole)):
        said = " or ".join(map(str, allowed))
        yield f"is {found}, dataset.json says {said}: datasets must not be mixed, {AGAIN}"
    if derived is None:
        return
    if whole is not None and derived.kind == whole.kind:
        if whole.model is not None and derived.model != card_sha256(whole.model):
            yield f"was made by another model than dataset.json names: {AGAIN}"
        yield from _against_source(folder, record, whole)
    if isinstance(derived, Refinement):
        yield from _refinement(record, derived)
    else:
        yield from variant_messages(folder, record, derived)


def _what(record: Record) -> str:
    return "a render" if record.derived is None else f"{record.derived.kind} in generation {record.derived.generation}"


def _allowed(folder: Place, whole: Derivation | None) -> tuple[str, ...]:
    """What images of a dataset may be: where defects were painted, sound pictures stay what they were before."""
    if whole is None:
        return ("a render",)
    all_new = f"{whole.kind} in generation {whole.generation}"
    if whole.kind == "refined":
        return (all_new,)
    sound = "a render" if whole.generation == 1 else f"refined in generation {whole.generation - 1}"
    return (sound,) if is_twins(folder) else (all_new, sound)


def _refinement(record: Record, derived: Refinement) -> Iterator[str]:
    """The labels of a refined image are its render's, and its status is what its tries say."""
    if (record.hashes.labels, record.hashes.ids) != (derived.origin.labels, derived.origin.ids):
        yield f"has other labels than its render: {AGAIN}"
    if not derived.tries:
        yield f"says nothing of what was tried: {AGAIN}"
        return
    *earlier, last = derived.tries
    passed = [t.verdict is not None and t.verdict.accepted for t in (*earlier, last)]
    if any(passed[:-1]) or passed[-1] != (derived.status != "fallback"):
        yield f"is {derived.status!r}, which the verdicts on its tries contradict: {AGAIN}"
    elif derived.status not in ("fallback", last.status):
        yield f"is {derived.status!r}, its last try {last.status!r}: {AGAIN}"
    if derived.status == "fallback" and record.hashes.rgb != derived.origin.rgb:
        yield f"fell back to its render and has another picture: {AGAIN}"
    for scores in (t.verdict for t in derived.tries if t.verdict is not None):
        if scores.accepted != (not scores.faults and not any(i.faults for i in scores.instances)):
            yield f"was accepted with faults, or refused without: {AGAIN}"
        if [i.id for i in scores.instances if i.outlined and not i.checkable] != list(derived.frozen):
            yield f"froze {list(derived.frozen)}, which are not those that could not be checked: {AGAIN}"


def _against_source(folder: Place, record: Record, whole: Derivation) -> Iterator[str]:
    """The image that it was made of, where the source still lies where it did."""
    assert record.derived is not None
    place = folder.absolute().parent if is_twins(folder) else folder
    source = place / whole.source.folder / (TWINS if is_twins(folder) else "")
    if not exists(record_path(source, record.index)):
        return
    try:
        origin = read_record(record_path(source, record.index)).hashes
    except ScenewrightError:
        return  # what is wrong with the source is for its own validation
    said = record.derived.origin
    if (origin.rgb, origin.ids, origin.labels) != (said.rgb, said.ids, said.labels):
        yield f"was made of another image than {source / record.image} is now: {AGAIN}, or restore that"


def derived_info_messages(folder: Place, info: DatasetInfo) -> Iterator[str]:
    """What dataset.json says of the model, against what the folder holds."""
    whole, here = info.derived, len(indices(folder))
    if whole is None:
        return
    if here and whole.model is None:
        yield "does not say which model made its images: restore the file"
    if is_twins(folder):  # it is counted with the images
        return
    if here != whole.images:
        yield f"{whole.images} images were asked for, the folder holds {here}: run the same command again"
    found, said = summary(folder), {"outcomes": whole.outcomes, "free": whole.free}
    if found != said:
        yield f"sums up {said}, the records give {found}: run the same command again"
