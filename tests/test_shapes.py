"""What holds for every procedural shape in the library."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import orjson
import pytest
import trimesh

from scenewright.assets.library import SHAPES, build, rand
from scenewright.assets.materials import FAMILIES
from scenewright.assets.mesh import Mesh
from scenewright.errors import AssetError

DRAWS = 5
MAX_TRIANGLES = 25_000


def draws(name: str) -> Iterator[Mesh]:
    for seed in range(DRAWS):
        yield build(name, rand(np.random.default_rng(seed), name, {}))


def as_trimesh(mesh: Mesh) -> trimesh.Trimesh:
    return trimesh.Trimesh(mesh.vertices, mesh.faces, process=False, validate=False)


def component_volumes(mesh: Mesh) -> npt.NDArray[np.float64]:
    """Signed volume of every connected component: ∑ a·(b×c)/6 over its faces."""
    shape = as_trimesh(mesh)
    label = trimesh.graph.connected_component_labels(shape.face_adjacency, node_count=len(mesh.faces))
    a, b, c = np.moveaxis(mesh.vertices[mesh.faces], 1, 0)
    return np.bincount(label, np.einsum("ij,ij->i", a, np.cross(b, c)) / 6).astype(np.float64)


@pytest.mark.parametrize("name", SHAPES)
def test_closed(name: str) -> None:
    """Every component of every draw is closed, wound consistently and faces outwards."""
    for mesh in draws(name):
        shape = as_trimesh(mesh)
        assert shape.is_watertight and shape.is_winding_consistent
        assert component_volumes(mesh).min() > 0


@pytest.mark.parametrize("name", SHAPES)
def test_faces(name: str) -> None:
    """No face is degenerate, no vertex unused, and the triangle count stays in the budget."""
    for mesh in draws(name):
        assert as_trimesh(mesh).area_faces.min() > 1e-14  # m²: a hundredth of a square micrometre
        assert len(np.unique(mesh.faces)) == len(mesh.vertices)
        assert len(mesh.faces) <= MAX_TRIANGLES


@pytest.mark.parametrize("name", SHAPES)
def test_frame(name: str) -> None:
    """The bounding box is centred on the origin, of a size that a hand can hold, and holds the keypoints."""
    for mesh in draws(name):
        assert np.allclose(mesh.vertices.min(axis=0), -mesh.vertices.max(axis=0), atol=1e-12)
        assert mesh.extents.min() > 0.0003 and mesh.extents.max() < 0.4
        assert 3 <= len(mesh.keypoints) <= 16
        for point in mesh.keypoints.values():
            assert (np.abs(point) <= mesh.extents / 2 + 1e-6).all()


@pytest.mark.parametrize("name", SHAPES)
def test_parts(name: str) -> None:
    """Every part has faces, and a default material of a known family with a positive weight."""
    for mesh in draws(name):
        assert set(np.unique(mesh.face_part)) == set(range(len(mesh.part_names)))
        for part in mesh.part_names:
            weights = SHAPES[name].materials[part]
            assert set(weights) <= set(FAMILIES) and min(weights.values()) > 0


@pytest.mark.parametrize("name", SHAPES)
def test_same_params_same_arrays(name: str) -> None:
    """Building twice from equal parameters gives identical bits."""
    shape = SHAPES[name]
    for seed in range(2):
        params = shape.rand(np.random.default_rng(seed), {})
        first, second = shape.build(params), shape.build(params.model_copy())
        assert first.vertices.tobytes() == second.vertices.tobytes()
        assert first.faces.tobytes() == second.faces.tobytes()
        assert first.sha256 == second.sha256


def test_same_in_another_process() -> None:
    """A fresh interpreter with another hash seed builds the same meshes."""
    code = (
        "import hashlib, numpy as np\n"
        "from scenewright.assets.library import SHAPES, build, rand\n"
        "names = [build(n, rand(np.random.default_rng(3), n, {})).sha256 for n in SHAPES]\n"
        "print(hashlib.sha256(''.join(names).encode()).hexdigest())"
    )
    other = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONHASHSEED": "77"}, capture_output=True, text=True, check=True
    )
    here = "".join(build(n, rand(np.random.default_rng(3), n, {})).sha256 for n in SHAPES)
    assert other.stdout.strip() == hashlib.sha256(here.encode()).hexdigest()


@pytest.mark.parametrize("name", SHAPES)
def test_rand_is_json_and_buildable(name: str) -> None:
    """Drawn parameters survive JSON, and drawing again with all of them given changes nothing."""
    drawn = rand(np.random.default_rng(11), name, {})
    again = orjson.loads(orjson.dumps(drawn))
    assert again == drawn
    assert rand(np.random.default_rng(12), name, again) == drawn
    assert build(name, again) is build(name, drawn)


@pytest.mark.parametrize("name", SHAPES)
def test_draws_vary(name: str) -> None:
    """Different streams draw different parameters."""
    assert len({str(rand(np.random.default_rng(seed), name, {})) for seed in range(12)}) > 1


def test_arrays_are_read_only() -> None:
    """A cached mesh cannot be changed by one of its users."""
    mesh = build("box", {"x_m": 0.1, "y_m": 0.1, "z_m": 0.1})
    with pytest.raises(ValueError, match="read-only"):
        mesh.vertices[0, 0] = 1.0


@pytest.mark.parametrize(
    ("name", "params", "message"),
    [
        ("teapot", {}, "no shape 'teapot': choose from bearing, bottle"),
        ("sphere", {}, "sphere needs the parameter 'radius_m'"),
        ("sphere", {"radius_m": -1.0}, "sphere.radius_m: .*greater than 0, got -1.0"),
        ("sphere", {"radius_m": float("nan")}, "sphere.radius_m: .*finite number"),
        ("sphere", {"radius": 0.1, "radius_m": 0.1}, "no parameter 'radius': choose from radius_m, subdivisions"),
        ("can", {"size": "1l"}, "can.size: .*'150ml', '250ml'.* got '1l'"),
        ("die", {"size_m": 0.016, "edge_m": 0.009}, "edge_m 0.009 must be under half of size_m 0.016"),
        ("bracket", {"hole_m": 0.04}, "holes do not fit"),
        ("bottle", {"height_m": 0.05}, "height_m must be 5.5 to 9 times radius_m"),
        ("mug", {"handle_width_m": 0.05}, "handle_width_m 0.05 must be at most 0.6 of radius_m"),
        ("box", {"x_m": 0.1, "y_m": 0.1, "z_m": 0.01, "edge_m": 0.005}, "under half the shortest side"),
    ],
)
def test_bad_params(name: str, params: dict[str, object], message: str) -> None:
    """A wrong shape or parameter is an AssetError that names it, the rule and the choices."""
    with pytest.raises(AssetError, match=message):
        build(name, params)


def test_rand_refuses_unknown_and_wrong_values() -> None:
    """`rand` checks what is given as `build` does."""
    rng = np.random.default_rng(0)
    with pytest.raises(AssetError, match="die has no parameter 'pips': choose from size_m"):
        rand(rng, "die", {"pips": 3})
    with pytest.raises(AssetError, match=r"mug.radius_m: .*valid number.*, got 'wide'"):
        rand(rng, "mug", {"radius_m": "wide"})
