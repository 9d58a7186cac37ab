"""Where defects are to be painted in an image: as rendered, as drawn, or where masks of the user's say."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from ..assets.defect import FIRST_DEFECT, Defect
from ..assets.defects.kinds import KINDS
from ..errors import UsageError
from ..render.rle import decode
from ..scenes.build import meshes_of
from ..scenes.kept_defects import defects_of, drawn_defects, seen_masks
from ..scenes.rays import cast
from ..scenes.recipe import Recipe
from ..scenes.recipe_defects import occurs_on
from ..scenes.recipe_materials import OWN
from ..scenes.scene import Scene, SceneObject
from .sound import Sound

__all__ = ["SEVERITY", "Asked", "Wanted", "asked", "asked_files", "drawn", "rendered"]

Mask = npt.NDArray[np.bool_]

#: Of a mask whose name says none.
SEVERITY = 0.6
#: 000017.scratch.png, 000017.scratch.0.6.png, and a second one of its kind 000017.scratch-2.png.
NAME = re.compile(r"(\d{6,})\.([a-z_]+)(?:-\d+)?(?:\.(0\.\d+|1(?:\.0+)?))?\.png")


@dataclass(frozen=True)
class Wanted:
    """One defect that is to be painted.

    Attributes:
        id, kind, severity, parent_id: as in `DefectLabel`.
        material: family of the material on which it lies.
        mask: (h, w) pixels, all of its parent, and of no other request.
        rendered: (h, w) its mask in the source's render, None where it was never rendered.
        defect: what the scene says of it, None where that says nothing.
    """

    id: int
    kind: str
    severity: float
    parent_id: int
    material: str
    mask: Mask
    rendered: Mask | None
    defect: Defect | None


def rendered(sound: Sound, kinds: Collection[str]) -> tuple[Scene, list[Wanted]]:
    """The scene of the image, and a request for each annotated defect of these kinds: its own mask."""
    if sound.marred is None:
        return sound.scene, []
    record = sound.marred
    size = (record.height, record.width)
    masks = {d.id: decode(d.rle, size) for d in record.defects if d.annotated and d.rle and d.kind in kinds}
    return record.scene, list(_in_scene(record.scene, sound, masks, as_rendered=True))


def drawn(
    sound: Sound, recipe: Recipe, first: Scene, turn: int, kinds: Collection[str]
) -> tuple[Scene, list[Wanted]]:  # fmt: skip
    """The sound scene with the defects that a recipe asks for, and a request for each that would be seen.

    `first` and `turn` are as for `drawn_defects`; masks are the ray engine's.
    """
    assert recipe.defects is not None
    scene = drawn_defects(recipe, sound.scene, first, turn).model_copy(update={"defect_rules": recipe.defects.rules})
    wanted = {d.id for _, d in defects_of(scene) if d.kind in kinds}
    masks = {id: mask for id, mask in seen_masks(scene).items() if id in wanted}
    return scene, list(_in_scene(scene, sound, masks, as_rendered=False))


def _in_scene(scene: Scene, sound: Sound, masks: Mapping[int, Mask], as_rendered: bool) -> Iterator[Wanted]:
    """Requests for defects of a scene; what would be too small to be annotated is none."""
    taken = np.zeros(sound.ids.shape, bool)
    for item, defect in defects_of(scene):
        if defect.id in masks:
            mask = masks[defect.id] & (sound.ids == item.id) & ~taken
            if mask.sum() < scene.defect_rules.min_pixels:
                continue
            taken |= mask
            family, whole = item.materials[defect.part].family, masks[defect.id] if as_rendered else None
            yield Wanted(defect.id, defect.kind, defect.severity, item.id, family, mask, whole, defect)


@dataclass(frozen=True)
class Asked:
    """A mask of the user's: its file, and what its name says."""

    path: Path
    index: int
    kind: str
    severity: float


def asked_files(folder: Path, known: Collection[int], kinds: Collection[str]) -> list[Asked]:
    """All masks in a folder, by name; `known` are the images that there are.

    Raises:
        UsageError: a file whose name says no image, no kind that is painted, or no severity.
    """
    if not folder.is_dir():
        raise UsageError(f"--masks {folder} is no folder: name one that holds 000017.scratch.png, …")
    found = []
    for path in sorted(p for p in folder.iterdir() if not p.name.startswith(".")):
        match = NAME.fullmatch(path.name)
        if match is None or not path.is_file():
            raise UsageError(
                f"{path} is no mask: they are named INDEX.KIND.png or INDEX.KIND.SEVERITY.png, such as "
                "000017.scratch.png or 000017.scratch.0.6.png, with KIND-2 for a second one of its kind"
            )
        index, kind, severity = int(match[1]), match[2], float(match[3] or SEVERITY)
        if match[1] != f"{index:06d}" or index not in known:
            raise UsageError(f"{path}: the dataset has no image {match[1]}")
        if kind not in kinds:
            raise UsageError(
                f"{path}: {kind!r} is no kind of defect that can be painted; choose from {', '.join(kinds)}"
            )
        if severity <= 0:
            raise UsageError(f"{path}: a severity is above 0 and at most 1")
        found.append(Asked(path, index, kind, severity))
    if not found:
        raise UsageError(f"--masks {folder} holds no mask: put 000017.scratch.png, … there")
    return found


def asked(sound: Sound, files: Iterable[Asked]) -> tuple[Scene, list[Wanted]]:
    """The sound scene, and a request for each mask of the user's of this image: non-zero pixels, cut to one object.

    Raises:
        UsageError: a mask that cannot be read, is of another size, lies on no labelled object, or asks for a kind that
            does not occur on the material there.
    """
    requests: list[Wanted] = []
    taken = np.zeros(sound.ids.shape, bool)
    for n, file in enumerate(files):
        mask = _read(file.path, sound.ids.shape)
        item = _parent(file, sound, mask)
        family = _material(item, sound, mask)
        if family != OWN and not occurs_on(KINDS[file.kind], family):
            raise UsageError(
                f"{file.path.name}: {file.kind} does not occur on {family}, of which object {item.id} "
                f"({item.category}) is made there"
            )
        mask = mask & (sound.ids == item.id) & ~taken
        if not mask.any():
            raise UsageError(f"{file.path.name}: masks before it have all of its pixels: requests must not overlap")
        taken |= mask
        requests.append(Wanted(FIRST_DEFECT + n, file.kind, file.severity, item.id, family, mask, None, None))
    return sound.scene, requests


def _read(path: Path, size: tuple[int, ...]) -> Mask:
    """(h, w) where a mask is not zero."""
    picture = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_UNCHANGED)
    if picture is None:
        raise UsageError(f"{path} is no PNG that can be read")
    if picture.shape[:2] != size:
        raise UsageError(f"{path} is {picture.shape[1]}x{picture.shape[0]}, its image {size[1]}x{size[0]}")
    if picture.ndim == 3 and picture.shape[2] == 4:
        picture = picture[..., :3]  # what an opaque background says is no mask
    return np.asarray((picture if picture.ndim == 2 else picture.max(axis=2)) > 0)


def _parent(file: Asked, sound: Sound, mask: Mask) -> SceneObject:
    """The labelled object that has most of a mask's pixels."""
    labelled = {o.id: o for o in sound.scene.objects if o.category_id}
    found = Counter({int(k): int(n) for k, n in zip(*np.unique(sound.ids[mask], return_counts=True), strict=True)})
    there = [(n, -k) for k, n in found.items() if k in labelled]
    if not there:
        raise UsageError(f"{file.path.name} lies on no labelled object of image {file.index}: draw it on one")
    return labelled[-max(there)[1]]


def _material(item: SceneObject, sound: Sound, mask: Mask) -> str:
    """The family of material that most pixels of a mask on an object show."""
    families = {m.family for m in item.materials.values()}
    if len(families) == 1:
        return families.pop()
    meshes = meshes_of(sound.scene)
    view = cast(sound.scene, meshes, triangles=True)
    assert view.triangle is not None
    mesh = meshes[item.id]
    parts = Counter(mesh.face_part[view.triangle[mask & (view.ids == item.id) & (sound.ids == item.id)]].tolist())
    part = mesh.part_names[max(parts, key=lambda k: (parts[k], -k))] if parts else mesh.part_names[0]
    return item.materials[part].family
