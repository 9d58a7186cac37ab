"""Lights and the world of a scene in Blender."""

from __future__ import annotations

import math

import bpy
import mathutils
import numpy as np

from ..assets.files import locate
from ..assets.hdris import hdri_path
from ..assets.mesh_sources import check_picture
from ..scenes.scene_lights import AreaLight, Light, PanelLight, RingLight, Sky, SpotLight, SunLight, World
from .lamps import lamps

__all__ = ["add", "add_lamps", "set_world"]

#: Width of the world's importance map: twice that of the 1k HDRIs, whose suns fill one texel. At 256, two renders
#: under `interior` at 32 spp agree to 18.5 dB only, and fireflies take a fifth of the brightness; at 2048, and without
#: the light tree, they agree to 24.0 dB for 0.4 CPU s more per image. 4096 gives 24.5 dB for 1.7 CPU s.
WORLD_MAP_RESOLUTION = 2048
#: A sky is smooth, and Cycles samples its sun apart from the map.
SKY_MAP_RESOLUTION = 512
RING_SEGMENTS = 96


def add(target: bpy.types.Scene, name: str, light: Light) -> None:
    """Put a light into a Blender scene.

    Luminous meshes go into collections of their own: the label scene, which takes over what lies in the scene's
    own, never sees them.
    """
    place = mathutils.Matrix(light.world_T_light)
    if isinstance(light, RingLight | PanelLight):
        data = _ring_mesh(name, light) if isinstance(light, RingLight) else _panel_mesh(name, light)
        item = bpy.data.objects.new(name, data)
        apart = bpy.data.collections.new(name)
        target.collection.children.link(apart)
        apart.objects.link(item)
        # What shines from a ring would else be stopped by its own far side, and the room's light by both.
        item.visible_camera, item.visible_shadow = isinstance(light, PanelLight), isinstance(light, PanelLight)
    else:
        item = bpy.data.objects.new(name, _lamp(name, light))
        target.collection.objects.link(item)
    item.matrix_world = place


def add_lamps(target: bpy.types.Scene, name: str, light: Light) -> None:
    """As `add`, for an engine in which luminous meshes light nothing: area lamps shine in their place."""
    if isinstance(light, PanelLight):
        add(target, name, light)  # the camera sees it
    for lamp in lamps(light):
        add(target, name, lamp)


def _lamp(name: str, light: AreaLight | SpotLight | SunLight) -> bpy.types.Light:
    if isinstance(light, AreaLight):
        data = bpy.data.lights.new(name, "AREA")
        data.shape = "RECTANGLE" if light.shape == "rectangle" else "ELLIPSE"
        data.size, data.size_y = light.size
        data.energy = light.power_w
    elif isinstance(light, SpotLight):
        data = bpy.data.lights.new(name, "SPOT")
        data.spot_size, data.spot_blend, data.shadow_soft_size = light.cone, light.blend, light.radius_m
        # Blender counts what a bulb would send every way: 4π sr instead of the cone's.
        data.energy = light.power_w * 2 / (1 - math.cos(light.cone / 2))
    else:
        data = bpy.data.lights.new(name, "SUN")
        data.angle, data.energy = light.angle, light.irradiance_w_m2
    data.color = light.color
    return data


def _ring_mesh(name: str, light: RingLight) -> bpy.types.Mesh:
    """The strip as a band of quads that face the side on which it shines."""
    turn = np.linspace(0, math.tau, RING_SEGMENTS, endpoint=False)
    half = np.array([-light.width_m / 2, light.width_m / 2])
    radius, z = light.radius_m + half * math.cos(light.tilt), -half * math.sin(light.tilt)
    points = [(r * math.cos(a), r * math.sin(a), h) for a in turn for r, h in zip(radius, z, strict=True)]
    n = RING_SEGMENTS
    faces = [(2 * k, 2 * ((k + 1) % n), 2 * ((k + 1) % n) + 1, 2 * k + 1) for k in range(n)]
    data = bpy.data.meshes.new(name)
    data.from_pydata(points, [], faces)
    area = math.tau * light.radius_m * light.width_m
    data.materials.append(_luminous(name, light.color, light.power_w / (math.pi * area), opal=False))
    return data


def _panel_mesh(name: str, light: PanelLight) -> bpy.types.Mesh:
    x, y = light.size[0] / 2, light.size[1] / 2
    data = bpy.data.meshes.new(name)
    data.from_pydata([(-x, -y, 0), (-x, y, 0), (x, y, 0), (x, -y, 0)], [], [(0, 1, 2, 3)])
    radiance = light.power_w / (math.pi * light.size[0] * light.size[1])
    data.materials.append(_luminous(name, light.color, radiance, opal=True))
    return data


def _luminous(name: str, color: tuple[float, float, float], radiance: float, opal: bool) -> bpy.types.Material:
    """Light from the front; `opal` is a white sheet that reflects too, else the back and the body are not there."""
    made = bpy.data.materials.new(name)
    made.use_nodes = True
    tree = made.node_tree
    tree.nodes.clear()
    output = tree.nodes.new("ShaderNodeOutputMaterial")
    if opal:
        sheet = tree.nodes.new("ShaderNodeBsdfPrincipled")
        sheet.inputs["Base Color"].default_value = (0.6, 0.6, 0.6, 1.0)
        sheet.inputs["Roughness"].default_value = 0.4
        sheet.inputs["Emission Color"].default_value = (*color, 1.0)
        sheet.inputs["Emission Strength"].default_value = radiance
        tree.links.new(sheet.outputs[0], output.inputs["Surface"])
    else:
        front, back = tree.nodes.new("ShaderNodeEmission"), tree.nodes.new("ShaderNodeBsdfTransparent")
        side, both = tree.nodes.new("ShaderNodeNewGeometry"), tree.nodes.new("ShaderNodeMixShader")
        front.inputs["Color"].default_value, front.inputs["Strength"].default_value = (*color, 1.0), radiance
        tree.links.new(side.outputs["Backfacing"], both.inputs[0])
        tree.links.new(front.outputs[0], both.inputs[1])
        tree.links.new(back.outputs[0], both.inputs[2])
        tree.links.new(both.outputs[0], output.inputs["Surface"])
    made.cycles.emission_sampling = "FRONT"
    return made


def set_world(target: bpy.types.Scene, world: World) -> None:
    """Give a Blender scene its light from all around."""
    data = bpy.data.worlds.new("world")
    data.use_nodes = True
    target.world = data
    nodes, links = data.node_tree.nodes, data.node_tree.links
    nodes.clear()
    background, output = nodes.new("ShaderNodeBackground"), nodes.new("ShaderNodeOutputWorld")
    background.inputs["Strength"].default_value = world.strength
    links.new(background.outputs["Background"], output.inputs["Surface"])
    if world.color is not None:
        background.inputs["Color"].default_value = (*world.color, 1.0)
        return  # the same everywhere: nothing to find by a map
    around = _sky(nodes, world.sky) if world.sky is not None else _panorama(nodes, links, world)
    links.new(around.outputs["Color"], background.inputs["Color"])
    data.cycles.sampling_method = "MANUAL"
    data.cycles.sample_map_resolution = WORLD_MAP_RESOLUTION if world.sky is None else SKY_MAP_RESOLUTION


def _panorama(nodes: bpy.types.Nodes, links: bpy.types.NodeLinks, world: World) -> bpy.types.Node:
    assert world.hdri is not None
    path = hdri_path(world.hdri) if isinstance(world.hdri, str) else locate(world.hdri)
    check_picture(path, path.name)
    where, turn = nodes.new("ShaderNodeTexCoord"), nodes.new("ShaderNodeMapping")
    image = nodes.new("ShaderNodeTexEnvironment")
    image.image = bpy.data.images.load(str(path))
    turn.inputs["Rotation"].default_value[2] = world.rotation
    links.new(where.outputs["Generated"], turn.inputs["Vector"])
    links.new(turn.outputs["Vector"], image.inputs["Vector"])
    return image


def _sky(nodes: bpy.types.Nodes, sky: Sky) -> bpy.types.Node:
    node = nodes.new("ShaderNodeTexSky")
    node.sky_type, node.sun_disc = "NISHITA", sky.sun
    node.sun_elevation, node.dust_density = sky.elevation, sky.haze
    node.sun_rotation = math.pi / 2 - sky.azimuth  # Blender counts it clockwise from +y
    return node
