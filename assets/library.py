"""The procedural shapes by name: their parameters, how to build and draw them, and what they are usually made of."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import orjson
from pydantic import ValidationError

from ..errors import AssetError
from .cache import Cache
from .containers.interior import Interior
from .fixtures import FIXTURES
from .mesh import Mesh
from .shape import Shape, Weights
from .shapes import (
    bearing,
    bottle,
    bracket,
    can,
    carton,
    cover_plate,
    die,
    flange,
    gear,
    hammer,
    hex_bolt,
    hex_key,
    mug,
    nut,
    pipe_fitting,
    pliers,
    primitives,
    screwdriver,
    socket_screw,
    spanner,
    spring,
    washer,
)
from .shapes.base import Params

__all__ = ["SHAPES", "build", "interior", "rand"]

STEEL: Weights = {"zinc": 3, "brushed_steel": 2, "black_oxide": 2}
BARE: Weights = {"brushed_steel": 1}
SHEET: Weights = {"zinc": 3, "brushed_steel": 1, "painted_metal": 2, "black_oxide": 1}
FITTING: Weights = {"cast_steel": 3, "zinc": 2, "brass": 2}
TOOL: Weights = {"brushed_steel": 3, "zinc": 1, "black_oxide": 1}
KEY: Weights = {"black_oxide": 2, "brushed_steel": 1, "zinc": 1}
PLAIN: Weights = {"plastic": 2, "painted_metal": 1, "wood": 1}
GLAZED: Weights = {"ceramic": 1}

BEARING_PARTS: dict[str, Weights] = {"rings": BARE, "balls": BARE, "cage": BARE, "shield": BARE}
BOTTLE_PARTS: dict[str, Weights] = {
    "body": {"glass": 1},
    "label": {"paper": 1},
    "cap": {"painted_metal": 2, "plastic": 1},
}
CARTON_PARTS: dict[str, Weights] = {"body": {"printed": 1}, "tape": {"plastic": 1}}
CAN_PARTS: dict[str, Weights] = {"body": {"painted_metal": 1}, "lid": BARE, "tab": BARE}
DIE_PARTS: dict[str, Weights] = {"body": {"plastic": 1}, "pips": {"plastic": 1}}
SCREW: Weights = {"zinc": 2, "black_oxide": 2, "brushed_steel": 1}
COVER_PARTS: dict[str, Weights] = {"body": {"milled": 2, "anodised": 1}, "screws": SCREW}
FLANGE_PARTS: dict[str, Weights] = {"body": {"turned": 1}, "screws": SCREW}
HAMMER_PARTS: dict[str, Weights] = {"handle": {"wood": 1}, "head": {"black_oxide": 2, "painted_metal": 1}}
PLIERS_PARTS: dict[str, Weights] = {"steel": TOOL, "grip": {"rubber": 1, "plastic": 2}}
SCREWDRIVER_PARTS: dict[str, Weights] = {"handle": {"acrylic": 2, "plastic": 2}, "blade": {"brushed_steel": 1}}
MUG_PARTS: dict[str, Weights] = {"body": GLAZED, "inside": GLAZED, "lip": GLAZED, "foot": {"concrete": 1}}

SHAPES: dict[str, Shape] = {
    "bearing": Shape(bearing.BearingParams, bearing.bearing, bearing.bearing_rand, BEARING_PARTS),
    "bottle": Shape(bottle.BottleParams, bottle.bottle, bottle.bottle_rand, BOTTLE_PARTS),
    "box": Shape(primitives.BoxParams, primitives.box, primitives.box_rand, {"body": PLAIN}),
    "bracket": Shape(bracket.BracketParams, bracket.bracket, bracket.bracket_rand, {"body": SHEET}),
    "can": Shape(can.CanParams, can.can, can.can_rand, CAN_PARTS),
    "carton": Shape(carton.CartonParams, carton.carton, carton.carton_rand, CARTON_PARTS),
    "cover_plate": Shape(
        cover_plate.CoverPlateParams, cover_plate.cover_plate, cover_plate.cover_plate_rand, COVER_PARTS
    ),
    "cylinder": Shape(primitives.CylinderParams, primitives.cylinder, primitives.cylinder_rand, {"body": PLAIN}),
    "die": Shape(die.DieParams, die.die, die.die_rand, DIE_PARTS),
    "flange": Shape(flange.FlangeParams, flange.flange, flange.flange_rand, FLANGE_PARTS),
    "gear": Shape(
        gear.GearParams, gear.gear, gear.gear_rand, {"body": {"brushed_steel": 3, "black_oxide": 2, "brass": 1}}
    ),
    "hex_bolt": Shape(hex_bolt.HexBoltParams, hex_bolt.hex_bolt, hex_bolt.hex_bolt_rand, {"body": STEEL}),
    "hammer": Shape(hammer.HammerParams, hammer.hammer, hammer.hammer_rand, HAMMER_PARTS),
    "hex_key": Shape(hex_key.HexKeyParams, hex_key.hex_key, hex_key.hex_key_rand, {"body": KEY}),
    "mug": Shape(mug.MugParams, mug.mug, mug.mug_rand, MUG_PARTS),
    "nut": Shape(nut.NutParams, nut.nut, nut.nut_rand, {"body": STEEL}),
    "pipe_fitting": Shape(
        pipe_fitting.PipeFittingParams, pipe_fitting.pipe_fitting, pipe_fitting.pipe_fitting_rand, {"body": FITTING}
    ),
    "pliers": Shape(pliers.PliersParams, pliers.pliers, pliers.pliers_rand, PLIERS_PARTS),
    "screwdriver": Shape(
        screwdriver.ScrewdriverParams, screwdriver.screwdriver, screwdriver.screwdriver_rand, SCREWDRIVER_PARTS
    ),
    "socket_screw": Shape(
        socket_screw.SocketScrewParams, socket_screw.socket_screw, socket_screw.socket_screw_rand, {"body": STEEL}
    ),
    "spanner": Shape(spanner.SpannerParams, spanner.spanner, spanner.spanner_rand, {"body": TOOL}),
    "sphere": Shape(primitives.SphereParams, primitives.sphere, primitives.sphere_rand, {"body": PLAIN}),
    "spring": Shape(
        spring.SpringParams,
        spring.spring,
        spring.spring_rand,
        {"body": {"brushed_steel": 2, "zinc": 2, "black_oxide": 1}},
    ),
    "washer": Shape(washer.WasherParams, washer.washer, washer.washer_rand, {"body": STEEL}),
}

#: A scene's own meshes and no more: hardly any comes again in a later one, and a worker's memory must stay level.
CACHE_BYTES = 32 << 20

#: Shape and parameters as JSON → mesh.
_meshes: Cache[tuple[str, bytes], Mesh] = Cache(CACHE_BYTES, lambda mesh: mesh.nbytes)


def build(name: str, params: Mapping[str, object]) -> Mesh:
    """The mesh of one shape or fixture. Equal parameters give the same cached object: treat its arrays as read-only.

    Raises:
        AssetError: an unknown shape, an unknown parameter, or a value that breaks a rule, with the choices.
    """
    valid = _validated(name, _shape(name), params)
    canonical = orjson.dumps(valid.model_dump(mode="json"), option=orjson.OPT_SORT_KEYS)
    return _meshes.get((name, canonical), lambda: _build(name, canonical))


def rand(rng: np.random.Generator, name: str, given: Mapping[str, object]) -> dict[str, float | int | str]:
    """Parameters of one shape as plain JSON values: those in `given`, the others drawn.

    Raises:
        AssetError: as in `build`.
    """
    shape = _shape(name)
    unknown = sorted(set(given) - set(shape.params.model_fields))
    if unknown:
        raise AssetError(f"{name} has no parameter {unknown[0]!r}: choose from {_fields(shape)}")
    try:
        drawn = shape.rand(rng, given)
    except ValidationError as error:
        raise AssetError(_impossible(name, shape, given, error)) from None
    return drawn.model_dump(mode="json")


def _build(name: str, canonical: bytes) -> Mesh:
    shape = _shape(name)
    mesh = shape.build(shape.params.model_validate_json(canonical))
    for array in (mesh.vertices, mesh.faces, mesh.face_part, mesh.uv):
        if array is not None:
            array.setflags(write=False)  # every caller gets this object
    return mesh


def interior(name: str, params: Mapping[str, object]) -> Interior:
    """What a fixture offers to things, in its own frame.

    Raises:
        AssetError: as in `build`.
    """
    return FIXTURES[name].interior(_validated(name, FIXTURES[name], params))


def _shape(name: str) -> Shape:
    found = SHAPES.get(name) or FIXTURES.get(name)
    if found is None:
        raise AssetError(f"there is no shape {name!r}: choose from {', '.join((*SHAPES, *FIXTURES))}")
    return found


def _validated(name: str, shape: Shape, params: Mapping[str, object]) -> Params:
    try:
        return shape.params.model_validate(dict(params))
    except ValidationError as error:
        raise AssetError(_explain(name, shape, error)) from None


def _impossible(name: str, shape: Shape, given: Mapping[str, object], error: ValidationError) -> str:
    """Why nothing can be drawn beside what is given: one value breaks a rule, or they do together."""
    said, place = _explain(name, shape, error), error.errors()[0]["loc"]
    if not given or (place and place[0] in given):
        return said
    together = ", ".join(f"{key} {value}" for key, value in given.items())
    return f"no {name} has {together}: {said.removeprefix(name)[1:].lstrip()}"


def _explain(name: str, shape: Shape, error: ValidationError) -> str:
    """The first fault in one sentence: which parameter, the rule, the value got, the choices."""
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return f"{name} has no parameter {where!r}: choose from {_fields(shape)}"
    rule = first["msg"].removeprefix("Value error, ")
    if first["type"] == "missing":
        return f"{name} needs the parameter {where!r}"
    return f"{name}.{where}: {rule}, got {first['input']!r}" if where else f"{name}: {rule}"


def _fields(shape: Shape) -> str:
    return ", ".join(shape.params.model_fields)
