"""One defect of one object: drawn, put in its place, and tried, until it fits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import numpy.typing as npt

from ..assets.defect import Defect
from ..assets.defects.damage import damaged
from ..assets.defects.kind import Kind
from ..assets.defects.kinds import KINDS
from ..assets.material import Material
from ..assets.materials import SEED_BOUND
from ..assets.mesh import Feature, Mesh
from ..errors import AssetError
from .defect_fit import Sheet, Target, patch
from .defect_spots import Exposure, Ground, Spot
from .object_draws import ObjectDraws
from .recipe_defects import DefectKindSpec, DefectsSpec, occurs_on
from .scene import Draw, SceneObject, matrix

__all__ = ["Drawn", "Part", "draw_defect"]

Vec = npt.NDArray[np.float64]

#: Spots looked at for one defect, and kinds tried for it.
SPOTS, KINDS_TRIED = 12, 6
#: The first spot is taken on which so much of the defect lands, else the best one with at least the second number.
WELL, ENOUGH = 0.85, 0.15
#: A change of form is computed for so many spots at most.
TRIALS = 6
#: What is taken out of a wall leaves some of it: the wall is so many times as thick as that is deep.
THROUGH = 1.25
#: Two single defects of an object share at most so much of the later one; in a cluster they may share more.
SHARED, SHARED_IN_CLUSTER = 0.1, 0.6
#: A form that changes may not go below what the sound part lies on, by more than this, metres.
SINKS_M = 2e-5


@dataclass(frozen=True)
class Drawn:
    """A defect in its place; `inside` is the material of the part that it makes, `at` (3,) its middle, mesh metres."""

    defect: Defect
    inside: Material | None
    at: Vec


class Part:
    """An object that gets defects; `exposure` None where they are placed by area."""

    def __init__(self, spec: DefectsSpec, item: SceneObject, mesh: Mesh, exposure: Exposure | None) -> None:
        self.spec, self.item, self.mesh, self.exposure = spec, item, mesh, exposure
        self.ground = Ground(item, mesh)
        self.target = Target(self.ground)
        self.size_mm = self.ground.size_m * item.scale * 1000

    def parts(self, kind: Kind) -> list[str]:
        """The parts of its mesh on which a kind can be."""
        return [p for p in self.mesh.part_names if occurs_on(kind, self.item.materials[p].family)]

    def features(self, kind: Kind) -> dict[str, Feature]:
        """What a kind can be about."""
        return {name: f for name, f in self.mesh.features.items() if f.sort == kind.features}

    def regions(self, asked: DefectKindSpec) -> dict[str, float]:
        """The regions of a kind that there are on it, with their weights."""
        wanted = KINDS[asked.kind].regions if asked.region is None else asked.region
        return {name: weight for name, weight in wanted.items() if weight > 0 and self.ground.offers(name)}

    def visible_features(self, kind: Kind) -> list[str]:
        """Those that the camera sees something of and that face it; all where it sees nothing of the object.

        What faces away leaves a gap in the outline, but nothing to see where it was.
        """
        found = self.features(kind)
        if self.exposure is None or not self.exposure.shows(self.item):
            return list(found)
        seen = self.ground.seen_points(self.exposure)
        faces = {name: self.ground.faces(self.exposure, f.frame[:3, 3], f.frame[:3, 2]) for name, f in found.items()}
        return [name for name, f in found.items() if faces[name] and _inside(f, seen).any()]

    def lowest(self, mesh: Mesh) -> float:
        """Height of the lowest point of the object when it has another mesh, metres."""
        return float((mesh.vertices @ self.item.pose[2, :3]).min() * self.item.scale + self.item.pose[2, 3])

    def possible(self, before: Sequence[Drawn]) -> list[DefectKindSpec]:
        """What the recipe's kinds leave for this object, after the defects that it has.

        A part that is deformed as a whole has no other defect: all places on it have moved.
        """
        if any(_deforms(KINDS[d.defect.kind]) for d in before):
            return []
        wanted = [s for s in self.spec.chosen if s.weight_on(self.item.category) > 0 and self._can(s)]
        return [s for s in wanted if not before or not _deforms(KINDS[s.kind])]

    def _can(self, asked: DefectKindSpec) -> bool:
        kind = KINDS[asked.kind]
        if kind.damage is not None and self.item.mesh.library is not None:
            return False  # its materials come with Blender's own mesh, which has to stay as it is
        there = self.features(kind) if kind.features is not None else self.regions(asked)
        return bool(there) and bool(self.ground.on(self.parts(kind)).any())


def draw_defect(
    part: Part, draws: ObjectDraws, n: int, number: int, before: Sequence[Drawn]
) -> tuple[Drawn | None, Mapping[str, Draw]]:
    """Defect `n` of an object, with the id `number`, and what was drawn for it; None where none fits.

    A kind that finds no place, or cannot change this mesh, is put aside for another one, and noted as refused.
    """
    refused: dict[str, Draw] = {}
    left = part.possible(before)
    while left and len(refused) < KINDS_TRIED:
        turn = ObjectDraws(draws.image, draws.name + (f".defects.again.{len(refused)}" if refused else ""))
        path = f"defects.{n}"
        weights = [s.weight_on(part.item.category) for s in left]
        which = turn.pick(f"{path}.kind", [s.kind for s in left], weights)
        try:
            drawn = _Try(part, turn, path, left[which], number, before).drawn()
            return drawn, turn.draws | refused
        except _RefusedError as e:
            refused[f"{path}.refused.{len(refused)}"] = Draw(value=f"{left[which].kind}: {e}")
            left = [s for k, s in enumerate(left) if k != which]
    if not refused:
        refused[f"defects.{n}.refused.0"] = Draw(value=f"no kind of the recipe can be on {_described(before)}")
    return None, refused


def _deforms(kind: Kind) -> bool:
    """Whether a kind moves what is there, and neither marks a place nor makes or takes anything."""
    return kind.damage is not None and (kind.layers, kind.inside, kind.features) == (None, None, None)


def _described(before: Sequence[Drawn]) -> str:
    return "this object" if not before else f"this object after {', '.join(d.defect.kind for d in before)}"


def _inside(feature: Feature, points: Vec) -> npt.NDArray[np.bool_]:
    """(n,) which points (n, 3), metres, unscaled mesh, lie in what a feature takes up."""
    to_frame = np.linalg.inv(feature.frame)
    half = np.array([*(s / 2 for s in feature.size_m), feature.reach_m])
    return np.asarray((np.abs(np.round(points @ to_frame[:3, :3].T + to_frame[:3, 3], 9)) <= half).all(axis=1))


class _RefusedError(Exception):
    """A kind that does not go on this object; its text is the reason."""


class _Try:
    """One kind, tried for one defect."""

    def __init__(
        self, part: Part, draws: ObjectDraws, path: str, asked: DefectKindSpec, number: int, before: Sequence[Drawn]
    ) -> None:
        self.part, self.draws, self.path, self.asked, self.before = part, draws, path, asked, before
        self.kind, self.number = KINDS[asked.kind], number
        self.trials = 0

    def drawn(self) -> Drawn:
        """The defect in the best of the places that were looked at."""
        severity = float(self.draws(f"{self.path}.severity", self.asked.severity))  # type: ignore[arg-type]  # a number
        values = {name: self._value(name, severity) for name in self.kind.values}
        size = self.kind.size(values)
        seed = int(self.draws.rng(f"{self.path}.seed").integers(SEED_BOUND))
        template = Defect(
            id=self.number, kind=self.asked.kind, severity=severity, seed=seed, values=values,
            patch_T_object=matrix(np.eye(4)), size_mm=size, reach_mm=1.0, facing=self.kind.facing, part="",
        )  # fmt: skip
        return self._finished(self._on_surface(template) if self.kind.features is None else self._on_feature(template))

    def _value(self, name: str, severity: float) -> float:
        path, given = f"{self.path}.values.{name}", self.asked.params.get(name)
        if given is not None:
            return float(self.draws(path, given))  # type: ignore[arg-type]  # checked by the recipe's model
        value = self.kind.values[name].draw(self.draws.rng(path), severity, self.part.size_mm)
        self.draws.draws[path] = Draw(value=value)
        return value

    def _finished(self, placed: tuple[Defect, Vec]) -> Drawn:
        """With the look and the material that belong to the part on which it has come to lie."""
        defect, at = placed
        below = self.part.item.materials[defect.part]
        look = inside = None
        if self.kind.look is not None:
            look = self.kind.look(self.draws.rng(f"{self.path}.look"), below, defect.severity)
        if self.kind.inside is not None:
            inside = self.kind.inside(self.draws.rng(f"{self.path}.inside"), below, defect.severity)
        return Drawn(defect.model_copy(update={"look": look}), inside, at)

    def _on_surface(self, template: Defect) -> tuple[Defect, Vec]:
        """In one of the kind's regions, in a weighted random order, where it fits best among some spots."""
        sheet = Sheet.of(self.draws.rng(f"{self.path}.fit"), template)
        for near in self._neighbours():
            for region in self._regions():
                for share, defect, point in self._fitting(template, sheet, region, near):
                    if self._holds(defect):
                        self._note(landed=share, region=region, near=near is not None)
                        return defect, point
        raise _RefusedError("no place where it fits")

    def _note(self, **values: float | str | bool) -> None:
        self.draws.draws |= {f"{self.path}.{name}": Draw(value=value) for name, value in values.items()}

    def _neighbours(self) -> tuple[Drawn | None, ...]:
        """The defect before it, where the two lie together; and none, for where a cluster is full it may lie apart."""
        together = self.draws.quantile(f"{self.path}.near") < self.part.spec.clustered
        return (self.before[-1], None) if self.before and together else (None,)

    def _regions(self) -> list[str]:
        """Without replacement by weight (Efraimidis & Spirakis 2006, algorithm A)."""
        weights = self.part.regions(self.asked)
        lots = self.draws.rng(f"{self.path}.region").random(len(weights))
        keys = {name: round(float(u) ** (1 / w), 12) for u, (name, w) in zip(lots, weights.items(), strict=True)}
        return sorted(keys, key=lambda name: -keys[name])

    def _spots(self, region: str, near: Drawn | None) -> Iterator[Spot]:
        part, rng = self.part, self.draws.rng(f"{self.path}.spot")
        allowed = part.ground.on(part.parts(self.kind))
        if part.exposure is not None and part.exposure.shows(part.item):
            spots = part.ground.seen(rng, part.exposure, allowed, region)
        else:
            spots = part.ground.anywhere(rng, allowed, region)
        radius = part.spec.cluster_radius * part.ground.size_m
        return (s for s in spots if near is None or np.linalg.norm(s.point - near.at) <= radius)

    def _fitting(
        self, template: Defect, sheet: Sheet, region: str, near: Drawn | None
    ) -> Iterator[tuple[float, Defect, Vec]]:
        """(share that lands, defect, middle): those that land well as they come, then the others, the best first."""
        turns = self.draws.rng(f"{self.path}.turn")
        most = SHARED if near is None else SHARED_IN_CLUSTER
        lowered = self.kind.depth(template) if self.kind.damage and self.kind.depth else 0.0
        others: list[tuple[float, Defect, Vec]] = []
        for spot in islice(self._spots(region, near), SPOTS):
            spot = self.part.ground.levelled(spot, min(template.size_mm) / 2000 / self.part.item.scale)
            to_patch = patch(spot, float(turns.uniform(0, 2 * np.pi)), self.part.item.scale)
            landing = self.part.target.land(sheet, to_patch, spot, self.kind.facing, lowered)
            share = round(landing.share, 3)
            thick = self.part.target.thickness(to_patch) if lowered else np.inf
            if self.kind.inside is not None and thick < THROUGH * lowered:
                continue
            if share < ENOUGH or landing.covered([d.defect for d in self.before]) > most:
                continue
            at = {"patch_T_object": matrix(to_patch), "reach_mm": landing.reach_mm, "region": region,
                  "thick_mm": thick if np.isfinite(thick) else None}  # fmt: skip
            defect = template.model_copy(update={**at, "part": self.part.ground.part(spot.faces[0])})
            if share >= WELL:
                yield share, defect, spot.point
            else:
                others.append((share, defect, spot.point))
        yield from sorted(others, key=lambda f: -f[0])

    def _on_feature(self, template: Defect) -> tuple[Defect, Vec]:
        """On one of the features that the camera sees, or of all where it sees none of the object."""
        part, mm = self.part, self.part.item.scale * 1000
        used, parts = {d.defect.region for d in self.before}, self.part.parts(self.kind)
        names = [name for name in part.visible_features(self.kind) if name not in used]
        for k in self.draws.rng(f"{self.path}.feature").permutation(len(names)):
            feature = part.mesh.features[names[k]]
            (w, h), reach = feature.size_m, round(feature.reach_m * mm, 6)
            size = round(w * mm, 6), round(h * mm, 6)
            to_patch = np.diag([mm, mm, mm, 1.0]) @ np.linalg.inv(feature.frame)
            defect = template.model_copy(
                update={
                    "patch_T_object": matrix(to_patch), "size_mm": size, "reach_mm": reach, "region": names[k],
                    "part": part.target.part_below(size, reach, to_patch),
                }
            )  # fmt: skip
            if defect.part in parts and self._holds(defect):
                self._note(region=names[k])
                return defect, feature.frame[:3, 3]
        raise _RefusedError(f"no {self.kind.features} to be seen that is whole")

    def _holds(self, defect: Defect) -> bool:
        """Whether the mesh can take it, after the defects before it, and does not sink into what it lies on."""
        if self.kind.damage is None:
            return True
        self.trials += 1
        if self.trials > TRIALS:
            return False
        try:
            changed = damaged(self.part.mesh, [*(d.defect for d in self.before), defect])
        except AssetError:
            return False
        return self.part.lowest(changed) >= self.part.lowest(self.part.mesh) - SINKS_M
