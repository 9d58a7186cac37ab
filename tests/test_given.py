"""Drawing beside given parameters: whatever some part has can be given, and what none has is refused as such."""

from __future__ import annotations

import numpy as np
import pytest

from scenewright.assets.library import SHAPES, build, rand
from scenewright.errors import AssetError

#: Shape → parameter → values from one end of what a part can have to the other.
ALONE: dict[str, dict[str, list[object]]] = {
    "bearing": {"closure": ["open", "shielded"]},
    "bottle": {
        "kind": ["beer", "water", "sauce"],
        "radius_m": [0.02, 0.03, 0.045],
        "height_m": [0.11, 0.16, 0.3, 0.4],
        "punt_m": [0.001, 0.008, 0.02],
        "label_deg": [60, 360],
        "closure": ["open", "closed"],
    },
    "box": {"x_m": [1e-4, 0.001, 0.01, 10.0], "edge_m": [0.0, 0.005, 0.02, 4.9]},
    "bracket": {
        "leg_a_m": [0.002, 0.01, 0.5],
        "leg_b_m": [0.002, 0.01, 0.5],
        "width_m": [0.002, 0.01, 0.5],
        "thickness_m": [0.0005, 0.012],
        "bend_m": [1e-4, 0.01, 0.1, 0.4],
        "corner_m": [0.0002, 0.0015, 0.01, 0.2],
        "hole_m": [0.0005, 0.003, 0.02, 0.3],
        "slot_m": [0.0, 0.05, 0.4],
        "rows": [1, 4],
        "columns": [1, 3],
    },
    "can": {"size": ["150ml", "500ml"], "tab_deg": [0, 359]},
    "cover_plate": {
        "x_m": [0.025, 0.05, 0.5],
        "y_m": [0.025, 0.05, 0.5],
        "thickness_m": [0.004, 0.01, 0.1],
        "relief": [-0.7, 0.0, 1.0],
        "bore": [0.0, 0.7],
        "size": ["M3", "M12"],
        "count": [4, 6, 8],
        "sunk": [True, False],
    },
    "cylinder": {
        "radius_m": [1e-4, 0.001, 10.0],
        "height_m": [1e-4, 0.001, 10.0],
        "edge_m": [0.0, 0.005, 0.02, 4.9],
        "segments": [3, 2048],
    },
    "die": {
        "size_m": [0.005, 0.1],
        "edge_m": [5e-5, 0.003, 0.01, 0.034],
        "pip_m": [5e-5, 0.0005, 0.003, 0.0137],
        "pip_depth_m": [5e-5, 0.0005, 0.002, 0.0109],
        "spread": [0.15, 0.2, 0.3, 0.33],
        "ball": [0.7, 0.87],
    },
    "carton": {"style": ["folding", "shipping"], "x_m": [0.015, 0.1, 2.0], "y_m": [0.015, 0.09], "z_m": [0.02, 2.0]},
    "flange": {
        "diameter_m": [0.025, 0.04, 0.5],
        "thickness": [0.08, 0.35],
        "hub": [0.3, 0.7],
        "rise": [-0.5, 0.0, 1.5],
        "bore": [0.15, 0.8],
        "size": ["M3", "M12"],
        "count": [3, 16],
        "sunk": [True, False],
    },
    "gear": {
        "module_m": [1e-4, 0.0005, 0.005, 0.01],
        "teeth": [10, 14, 60],
        "width_m": [0.0005, 0.001, 0.1],
        "bore_m": [0.0005, 0.006, 0.01, 0.06],
        "hub_diameter_m": [0.002, 0.01, 0.03, 0.1, 0.55],
        "hub_length_m": [0.0, 0.1],
        "keyway": [True, False],
    },
    "hammer": {"mass_g": [200, 500], "hole_m": [0.006, 0.012]},
    "hex_bolt": {
        "size": ["M3", "M12"],
        "length_m": [0.004, 0.02, 0.0301, 0.1, 0.12],
        "thread": ["full", "partial"],
    },
    "hex_key": {"across_mm": [4, 10], "series": ["normal", "long"]},
    "mug": {
        "radius_m": [0.02, 0.03, 0.05, 0.1],
        "height_m": [0.03, 0.05, 0.2],
        "wall_m": [0.002, 0.008],
        "taper": [0.7, 1.0],
        "base_round_m": [0.003, 0.02, 0.03],
        "handle_reach_m": [0.0104, 0.02, 0.1, 0.2],
        "handle_width_m": [0.006, 0.03, 0.06],
        "handle_thickness_m": [0.004, 0.02, 0.0769],
    },
    "nut": {"size": ["M3", "M12"], "washer_face": [True, False]},
    "pipe_fitting": {"kind": ["elbow", "tee", "union"], "size": ["1/4", "1"]},
    "pliers": {"length_m": [0.14, 0.25]},
    "screwdriver": {"tip": ["0.8x4", "PH3"], "stretch": [0.5, 1.1]},
    "socket_screw": {"size": ["M3", "M12"], "length_m": [0.004, 0.02, 0.0301, 0.1, 0.12], "knurled": [True, False]},
    "spanner": {"across_mm": [8, 24], "stretch": [0.8, 1.2]},
    "sphere": {"radius_m": [1e-4, 10.0], "subdivisions": [1, 5]},
    "spring": {
        "wire_m": [1e-4, 0.001, 0.02],
        "diameter_m": [0.001, 0.02, 0.2],
        "coils": [4, 16],
        "length_m": [0.001, 0.02, 0.1, 0.5],
        "ends": ["ground", "closed", "open"],
        "left_handed": [True, False],
    },
    "washer": {"size": ["M3", "M12"], "series": ["normal", "large"]},
}

#: Several parameters that leave the others little choice.
TOGETHER: list[tuple[str, dict[str, object]]] = [
    ("bottle", {"kind": "water", "radius_m": 0.02}),
    ("bottle", {"kind": "sauce", "punt_m": 0.02, "height_m": 0.2}),
    ("box", {"x_m": 0.01, "edge_m": 0.004}),
    ("bracket", {"rows": 4, "columns": 3, "hole_m": 0.02}),
    ("bracket", {"width_m": 0.02, "corner_m": 0.009, "thickness_m": 0.012}),
    ("bracket", {"leg_b_m": 0.1, "rows": 3, "slot_m": 0.02}),
    ("cover_plate", {"x_m": 0.03, "size": "M3", "count": 8}),
    ("cover_plate", {"thickness_m": 0.0045, "sunk": True}),
    ("cylinder", {"height_m": 0.01, "edge_m": 0.0045}),
    ("flange", {"size": "M12", "count": 12}),
    ("flange", {"diameter_m": 0.035, "hub": 0.5}),
    ("die", {"size_m": 0.016, "edge_m": 0.005}),
    ("die", {"pip_depth_m": 0.001, "spread": 0.15}),
    ("gear", {"module_m": 0.001, "bore_m": 0.03}),
    ("gear", {"hub_diameter_m": 0.02, "keyway": True}),
    ("gear", {"teeth": 10, "bore_m": 0.02, "keyway": True}),
    ("gear", {"width_m": 0.001, "bore_m": 0.03}),
    ("hex_bolt", {"length_m": 0.014, "thread": "partial"}),
    ("hex_bolt", {"length_m": 0.12, "thread": "partial"}),
    ("mug", {"radius_m": 0.02, "handle_reach_m": 0.03}),
    ("mug", {"radius_m": 0.1, "height_m": 0.03}),
    ("mug", {"height_m": 0.05, "handle_width_m": 0.04}),
    ("spring", {"coils": 16, "length_m": 0.02}),
    ("spring", {"coils": 4, "length_m": 0.5}),
    ("spring", {"wire_m": 0.001, "length_m": 0.1}),
    ("spring", {"diameter_m": 0.05, "length_m": 0.02}),
]
CASES = [
    (shape, {name: v}) for shape, names in ALONE.items() for name, values in names.items() for v in values
] + TOGETHER


@pytest.mark.parametrize(("shape", "given"), CASES, ids=[f"{shape}-{given}" for shape, given in CASES])
def test_whatever_a_part_can_have_can_be_given(shape: str, given: dict[str, object]) -> None:
    """Fifty streams draw parameters with the given values in them, and what the first draws can be built."""
    drawn = [rand(np.random.default_rng(seed), shape, given) for seed in range(50)]
    assert all(given.items() <= params.items() for params in drawn)
    assert build(shape, drawn[0]).extents.min() > 0


def test_draws_beside_a_given_value_vary() -> None:
    """Where the usual draw has to give way, each stream still draws another part."""
    for shape, given in (("mug", {"radius_m": 0.02}), ("die", {"pip_m": 0.003}), ("gear", {"module_m": 0.01})):
        assert len({str(rand(np.random.default_rng(seed), shape, given)) for seed in range(20)}) == 20


def test_a_usual_draw_that_fits_is_kept() -> None:
    """Where the draw of everything goes with a given value, only the parameters that follow from that value move."""
    free = {"hex_bolt": "length_m", "mug": "wall_m", "bottle": "label_deg", "bracket": "leg_a_m", "die": "spread"}
    for shape, name in free.items():
        usual, other = (rand(np.random.default_rng(seed), shape, {}) for seed in (5, 6))
        assert rand(np.random.default_rng(5), shape, {name: usual[name]}) == usual
        assert rand(np.random.default_rng(5), shape, {name: other[name]}) == {**usual, name: other[name]}


@pytest.mark.parametrize(
    ("shape", "given", "message"),
    [
        ("hex_bolt", {"length_m": 0.2}, "no hex_bolt has length_m 0.2: .* M12 screw lies in .* … 0.1200 m"),
        ("hex_bolt", {"length_m": 0.013, "thread": "partial"}, "no hex_bolt has .* M3 screw lies in 0.0135"),
        ("socket_screw", {"size": "M3", "length_m": 0.05}, "no socket_screw has size M3, length_m 0.05: the length"),
        ("mug", {"radius_m": 0.03, "handle_width_m": 0.05}, "no mug has radius_m 0.03, .* at most 0.6 of radius_m"),
        ("mug", {"height_m": 0.03, "radius_m": 0.1, "taper": 0.7}, "no mug has .* the wall leans too far"),
        ("mug", {"base_round_m": 0.07}, "no mug has base_round_m 0.07: "),
        ("bottle", {"height_m": 0.05}, "no bottle has height_m 0.05: "),
        ("bottle", {"kind": "water", "height_m": 0.15}, "no bottle has .* the curves of a water bottle do not fit"),
        ("box", {"x_m": 0.1, "edge_m": 0.06}, "no box has x_m 0.1, edge_m 0.06: edge_m 0.06 must be under half"),
        ("die", {"pip_m": 0.02}, "no die has pip_m 0.02: "),
        (
            "bracket",
            {"leg_a_m": 0.02, "rows": 4, "hole_m": 0.01},
            "no bracket has leg_a_m 0.02, rows 4, hole_m 0.01: .* fit",
        ),
        ("gear", {"teeth": 60, "module_m": 0.001, "bore_m": 0.06}, "no gear has .*hub_diameter_m must"),
        (
            "gear",
            {"bore_m": 0.0009, "keyway": True},
            "no gear has .* no room for a keyway, the least that has",
        ),
        ("flange", {"diameter_m": 0.03, "size": "M12"}, "no flange has diameter_m 0.03, size M12: heads of M12 need a"),
        (
            "cover_plate",
            {"x_m": 0.03, "size": "M12"},
            "no cover_plate has .*: borders for M12 need a plate of 0.0706 m",
        ),
        ("spring", {"wire_m": 0.02, "length_m": 0.03}, "no spring has wire_m 0.02, length_m 0.03: the pitch"),
        ("mug", {"radius_m": 0.3}, "^mug.radius_m: Input should be less than or equal to 0.1, got 0.3"),
    ],
)
def test_what_no_part_has_is_refused_as_such(shape: str, given: dict[str, object], message: str) -> None:
    """The error names all that is given together, or the one value that is wrong by itself, and the rule."""
    for seed in range(5):
        with pytest.raises(AssetError, match=message):
            rand(np.random.default_rng(seed), shape, given)


def test_values_of_a_wrong_kind_are_refused_before_anything_is_drawn_from_them() -> None:
    """A word, NaN, zero or a negative number in place of a length is an asset error for every parameter."""
    for shape, kind in SHAPES.items():
        for name in kind.params.model_fields:
            for value in ("wide", float("nan"), -1.0, [1]):
                with pytest.raises(AssetError, match=rf"^{shape}\.{name}: "):
                    rand(np.random.default_rng(0), shape, {name: value})
