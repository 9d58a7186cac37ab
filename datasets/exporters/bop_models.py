"""The models of a BOP export: one PLY in millimetres for each different mesh, and what is known about it.

BOP has a model per object and no parameters, while a recipe may draw a part's sizes anew for every object. So each
different mesh (by content hash and scale) is an object of its own, numbered from 1 in the order in which the images of
the whole dataset show them; `objects.json` says what each is made from. Models have geometry and normals, no colour.
Symmetries are not written, for meshes do not tell them: whoever evaluates poses of nuts has to add them to
`models_info.json`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from ...assets.files import add_folder
from ...assets.mesh import Mesh
from ...render.bop import bop_model
from ...scenes.build import scene_mesh
from ...scenes.scene import MeshRef
from ..files import write_bytes_atomic
from ..inventory import assets_folder
from ..records import indices, read_record, record_path
from .job import Job

__all__ = ["Model", "ModelKey", "find_models", "ply", "write_models"]

#: Mesh hash and scale.
ModelKey = tuple[str, float]
VERTEX = np.dtype([(name, "<f4") for name in ("x", "y", "z", "nx", "ny", "nz")])
FACE = np.dtype([("corners", "u1"), ("indices", "<i4", 3)])


@dataclass
class Model:
    """One model: its number, its mesh (to be scaled), and the categories and the number of objects that have it."""

    obj_id: int
    mesh: MeshRef
    scale: float
    categories: list[str] = field(default_factory=list)
    instances: int = 0


def find_models(job: Job) -> dict[ModelKey, Model]:
    """The models of all objects with a category in the whole dataset: the same for any choice of splits."""
    found: dict[ModelKey, Model] = {}
    for index in job.steps("records", indices(job.dataset)):
        for thing in read_record(record_path(job.dataset, index)).scene.objects:
            if thing.category_id:
                key = (thing.mesh.sha256, thing.scale)
                model = found.setdefault(key, Model(len(found) + 1, thing.mesh, thing.scale))
                model.instances += 1
                if thing.category not in model.categories:
                    model.categories.append(thing.category)
    return found


def write_models(job: Job, models: dict[ModelKey, Model]) -> None:
    """Write `models/` and `objects.json`.

    Raises:
        AssetError: a mesh cannot be built again as it was.
    """
    if (assets := assets_folder(job.dataset)).is_dir():
        add_folder(assets)
    infos, about = {}, {}
    for model in job.steps("models", list(models.values())):
        mesh, name = scene_mesh(model.mesh), f"models/obj_{model.obj_id:06d}.ply"
        points, infos[str(model.obj_id)] = bop_model(mesh, model.scale)
        job.put(job.out / name, ply(points, mesh.faces))
        about[str(model.obj_id)] = _about(model, mesh, name)
    for path, content in (("models/models_info.json", infos), ("objects.json", about)):
        write_bytes_atomic(
            job.out / path, orjson.dumps(content, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
        )


def ply(points: npt.NDArray[np.float64], faces: npt.NDArray[np.int32]) -> bytes:
    """A binary PLY of (V, 3) vertices with normals, and (F, 3) triangles."""
    header = (
        f"ply\nformat binary_little_endian 1.0\nelement vertex {len(points)}\n"
        + "".join(f"property float {name}\n" for name in VERTEX.names or ())
        + f"element face {len(faces)}\nproperty list uchar int vertex_indices\nend_header\n"
    )
    vertices, triangles = np.empty(len(points), VERTEX), np.empty(len(faces), FACE)
    columns = np.hstack([points, _normals(points, faces)]).T
    for name, column in zip(VERTEX.names or (), columns, strict=True):
        vertices[name] = column
    triangles["corners"], triangles["indices"] = 3, faces
    return header.encode() + vertices.tobytes() + triangles.tobytes()


def _normals(points: npt.NDArray[np.float64], faces: npt.NDArray[np.int32]) -> npt.NDArray[np.float64]:
    """(V, 3) unit normals: those of the triangles at a vertex, weighted by their angle there (Thürmer, Wüthrich 1998).

    0 where triangles have no area or cancel.
    """
    corners = points[faces]
    total = np.zeros_like(points)
    flat = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    flat = _unit(flat)
    for k in range(3):
        a, b = (_unit(corners[:, (k + n) % 3] - corners[:, k]) for n in (1, 2))
        angle = np.arccos(np.clip((a * b).sum(axis=1), -1, 1))
        np.add.at(total, faces[:, k], flat * angle[:, None])
    return _unit(total)


def _unit(v: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    length = np.linalg.norm(v, axis=1, keepdims=True)
    return np.asarray(np.divide(v, length, out=np.zeros_like(v), where=length > 1e-12))


def _about(model: Model, mesh: Mesh, name: str) -> dict[str, Any]:
    made_from = model.mesh.model_dump(mode="json", exclude={"library"}, exclude_none=True)
    return {
        "model": name, "categories": model.categories, "instances": model.instances, "scale": model.scale,
        "triangles": len(mesh.faces), "mesh": made_from,
    }  # fmt: skip
