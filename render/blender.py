"""A `Scene` as the Blender scene that gives the picture; `label_scene` makes the one for its labels from it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import bpy
import mathutils
import numpy as np
import numpy.typing as npt

from ..assets.defects.patch import Mark, marks
from ..assets.files import locate
from ..assets.mesh import Mesh
from ..errors import AssetError
from ..scenes.black_body import black_body
from ..scenes.build import scene_mesh
from ..scenes.ids import SURFACE, fixture_id
from ..scenes.scene import EeveeSettings, RenderSettings, Scene, SceneObject, Settings
from ..scenes.surface import surface_mesh
from . import cameras, catcher, eevee, lights, motion, shaders
from .defect_image import attributes
from .ingest_library import append
from .shader_graph import MOVED

__all__ = ["build", "clear", "color_management", "repair"]

#: Marks the meshes of objects with defects.
DAMAGED = "damaged"

LOOKS = {
    "none": "None",
    "medium_high_contrast": "AgX - Medium High Contrast",
    "high_contrast": "AgX - High Contrast",
}


def clear() -> bpy.types.Scene:
    """Remove everything that an earlier scene left, its settings included; gives a new, empty Blender scene."""
    fresh = bpy.data.scenes.new("beauty")
    for scene in [s for s in bpy.data.scenes if s != fresh]:
        bpy.data.scenes.remove(scene)
    for obj in list(bpy.data.objects):
        bpy.data.objects.remove(obj, do_unlink=True)
    bpy.data.orphans_purge(do_recursive=True)
    fresh.name = "beauty"
    return fresh


def build(scene: Scene, meshes: Mapping[int, Mesh]) -> bpy.types.Scene:
    """Build the scene in an emptied Blender and give Blender's scene; object ids become pass indices."""
    target, pixel = clear(), 1 / scene.camera.fx
    libraries: dict[str, bpy.types.Mesh] = {}
    for obj in scene.objects:
        item = _add(target, _name(obj), _object_mesh(obj, meshes[obj.id], pixel, libraries))
        item.matrix_world = mathutils.Matrix(_placed(obj).tolist())
        item.pass_index = obj.id
    if scene.surface is not None:
        plain = scene.backplate is None
        look = shaders.build(scene.surface.material, locate, pixel) if plain else catcher.table(scene)
        slab = _add(target, "surface", _mesh("surface", surface_mesh(scene.surface), {"body": look}))
        slab.pass_index = SURFACE
    for k, fixture in enumerate(scene.fixtures):
        mesh = scene_mesh(fixture.mesh)
        materials = {part: shaders.build(fixture.materials[part], locate, pixel) for part in mesh.part_names}
        item = _add(target, f"fixture {k}", _mesh(f"fixture {k}", mesh, materials))
        item.matrix_world, item.pass_index = mathutils.Matrix(fixture.pose.tolist()), fixture_id(k)
    for i, light in enumerate(scene.lights):
        put = lights.add_lamps if isinstance(scene.render, EeveeSettings) else lights.add
        put(target, f"light {i}", light)
    lights.set_world(target, scene.world)
    cameras.add(target, scene.camera)
    if isinstance(scene.render, EeveeSettings):
        eevee.configure(target, scene, scene.render)
    else:
        _settings(target, scene.render, _noise_seed(scene))
    color_management(target, scene.render)
    if scene.backplate is not None:
        catcher.catch(target, target.collection.objects["surface"])
    motion.expose(target, scene)
    return target


def repair(target: bpy.types.Scene, scene: Scene, meshes: Mapping[int, Mesh]) -> None:
    """Make a built scene that of `scene`, which is its twin: objects with defects get other meshes, nothing else moves.

    `meshes` are those of the twin. This costs the shaders of these objects, and no second build of the scene.
    """
    libraries: dict[str, bpy.types.Mesh] = {}
    for obj in scene.objects:
        item = target.collection.objects[_name(obj)]
        if DAMAGED in item.data:
            item.data = _object_mesh(obj, meshes[obj.id], 1 / scene.camera.fx, libraries)


def _name(item: SceneObject) -> str:
    return f"object {item.id}"


def _placed(item: SceneObject) -> npt.NDArray[np.float64]:
    """(4, 4) transform from an object's unscaled mesh to the world."""
    return np.asarray(item.pose @ np.diag([item.scale] * 3 + [1.0]))


def _object_mesh(item: SceneObject, mesh: Mesh, pixel: float, libraries: dict[str, bpy.types.Mesh]) -> bpy.types.Mesh:
    """An object's mesh with its materials; `libraries` keeps what was taken from ingested files, by their hash."""
    found = marks(mesh, item.defects)
    materials = {
        part: shaders.build(
            item.materials[part], locate, pixel, item.scale, _on_part(found, mesh, part), mesh.moved is not None
        )
        for part in mesh.part_names
        if item.materials[part].family != "own"
    }
    data = _look(item, mesh, materials, libraries)
    if found:
        attributes(data, found)
        data[DAMAGED] = True
    return data


def _on_part(found: tuple[Mark, ...], mesh: Mesh, part: str) -> tuple[Mark, ...]:
    """The defects of an object; none for a part on which none of them can show anything."""
    here = mesh.within((part,))
    return found if any((mark.open & here).any() for mark in found) else ()


def _look(
    item: SceneObject, mesh: Mesh, materials: Mapping[str, bpy.types.Material], libraries: dict[str, bpy.types.Mesh]
) -> bpy.types.Mesh:
    if item.mesh.library is None:
        return _mesh(f"mesh {item.id}", mesh, materials)
    if mesh.nominal_m is not None:
        raise AssetError(
            f"object {item.id}: defects that change the form need a mesh whose materials are Scenewright's, and this "
            f"one brings its own from {item.mesh.file.name if item.mesh.file else 'a file'}: give it `materials`, or "
            "leave these kinds out"
        )
    if item.mesh.library.sha256 not in libraries:
        libraries[item.mesh.library.sha256] = append(locate(item.mesh.library), mesh)
    data = libraries[item.mesh.library.sha256].copy()
    data.name = f"mesh {item.id}"
    for slot, part in enumerate(mesh.part_names):
        if part in materials:
            data.materials[slot] = materials[part]
    return data


def _add(target: bpy.types.Scene, name: str, data: bpy.types.ID) -> bpy.types.Object:
    item = bpy.data.objects.new(name, data)
    target.collection.objects.link(item)
    return item


def _mesh(name: str, mesh: Mesh, materials: Mapping[str, bpy.types.Material]) -> bpy.types.Mesh:
    data = bpy.data.meshes.new(name)
    n = len(mesh.faces)
    data.vertices.add(len(mesh.vertices))
    data.vertices.foreach_set("co", mesh.vertices.astype(np.float32).ravel())
    data.loops.add(3 * n)
    data.loops.foreach_set("vertex_index", mesh.faces.astype(np.int32).ravel())
    data.polygons.add(n)
    data.polygons.foreach_set("loop_start", np.arange(0, 3 * n, 3, dtype=np.int32))
    data.polygons.foreach_set("material_index", mesh.face_part.astype(np.int32))
    data.polygons.foreach_set("use_smooth", np.ones(n, bool))
    if mesh.uv is not None:
        data.uv_layers.new(name="uv").uv.foreach_set("vector", mesh.uv.astype(np.float32).ravel())
    if mesh.moved is not None:
        layer = data.attributes.new(MOVED, "FLOAT_VECTOR", "POINT")
        layer.data.foreach_set("vector", mesh.moved.astype(np.float32).ravel())
    data.update(calc_edges=True)
    data.set_sharp_from_angle(angle=mesh.smooth_angle)
    for part in mesh.part_names:
        data.materials.append(materials[part])
    return data


def _settings(target: bpy.types.Scene, settings: RenderSettings, noise_seed: int) -> None:
    target.render.engine = "CYCLES"
    cycles = target.cycles
    cycles.samples, cycles.seed = settings.samples, noise_seed
    cycles.use_adaptive_sampling = settings.noise_threshold > 0
    cycles.adaptive_threshold, cycles.adaptive_min_samples = settings.noise_threshold, settings.min_samples
    # Light that glossy metal throws on its surroundings comes in rare, bright samples: a metal part under `studio` has
    # 1.3 dB less noise at 4 and is 0.8 % darker, 2.6 dB less at 2 and is 2 % darker. Most scenes do not change.
    cycles.sample_clamp_indirect = 3.0
    cycles.use_denoising = settings.denoise
    cycles.denoiser = "OPENIMAGEDENOISE"
    cycles.denoising_input_passes = "RGB_ALBEDO_NORMAL"
    cycles.denoising_prefilter, cycles.denoising_quality = settings.prefilter.upper(), "HIGH"
    cycles.texture_limit_render = "OFF"
    # With one world and a few softboxes the tree chooses badly: 6 dB more noise where a softbox stands beside an HDRI.
    cycles.use_light_tree = False
    target.render.use_persistent_data = False
    target.render.film_transparent = False


def color_management(target: bpy.types.Scene, settings: Settings) -> None:
    """From scene-linear light to the picture: the view transform, its look and the exposure."""
    target.render.dither_intensity = 0.0  # dithering adds noise that no record could explain
    target.display_settings.display_device = "sRGB"
    view = target.view_settings
    view.view_transform = {"agx": "AgX", "standard": "Standard"}[settings.view_transform]
    view.look = LOOKS[settings.look] if settings.view_transform == "agx" else "None"
    view.exposure, view.gamma = settings.exposure_ev, 1.0
    if (settings.white_balance_k, settings.white_balance_tint) != (6500.0, 0.0):
        view.use_white_balance = True
        # Blender finds its own temperature and tint of that colour: the same as the lights' black bodies, then.
        view.white_balance_whitepoint = black_body(settings.white_balance_k)
        view.white_balance_tint += settings.white_balance_tint


def _noise_seed(scene: Scene) -> int:
    """Another noise pattern for every image, the same for every render of it."""
    digest = hashlib.sha256(f"{scene.seed}/{scene.index}".encode()).digest()
    return int.from_bytes(digest[:4], "little") % (1 << 31)
