"""From the mesh references of a scene to meshes, and back: every mesh is named by what it is made from."""

from __future__ import annotations

from collections.abc import Mapping

from ..assets.defects.damage import damaged
from ..assets.ingested import user_mesh
from ..assets.library import build
from ..assets.material import FileRef
from ..assets.mesh import Mesh
from ..assets.mesh_files import UserMesh
from ..errors import AssetError
from .scene import MeshRef, Scene

__all__ = ["file_mesh", "meshes_of", "scene_mesh", "shape_mesh"]


def shape_mesh(shape: str, params: Mapping[str, float | int | str]) -> tuple[MeshRef, Mesh]:
    """A procedural mesh and the reference that builds it again."""
    mesh = build(shape, params)
    return MeshRef(shape=shape, params=dict(params), sha256=mesh.sha256), mesh


def file_mesh(
    file: FileRef, unit: str | None, up: str | None, library: FileRef | None = None
) -> tuple[MeshRef, UserMesh]:
    """A user's mesh and the reference that loads it again; `library` is that of an ingested file."""
    found = user_mesh(file, unit, up)
    sha256 = found.mesh.sha256
    if library is not None:
        return MeshRef(file=file, library=library, sha256=sha256), found
    return MeshRef(file=file, unit=unit, up=up, sha256=sha256), found


def scene_mesh(ref: MeshRef) -> Mesh:
    """The mesh that a reference names.

    Raises:
        AssetError: the generator or the file gives another mesh than the one that was recorded.
    """
    if ref.shape is not None:
        mesh = build(ref.shape, ref.params)
    elif ref.file is not None:
        mesh = user_mesh(ref.file, ref.unit, ref.up).mesh
    else:
        raise AssetError("a mesh reference needs a shape or a file, it has neither")
    if mesh.sha256 != ref.sha256:
        raise AssetError(
            f"{ref.shape or (ref.file and ref.file.name)} gives a mesh with hash {mesh.sha256[:12]}…, the scene was "
            f"made with {ref.sha256[:12]}…: use the version of Scenewright that made it"
        )
    return mesh


def meshes_of(scene: Scene) -> dict[int, Mesh]:
    """Object id → mesh (unscaled, object frame) of every object, as its defects have left it."""
    return {o.id: damaged(scene_mesh(o.mesh), o.defects) for o in scene.objects}
