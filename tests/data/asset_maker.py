"""Makes the files that tests ingest, in a Blender of its own: `python asset_maker.py FOLDER`.

`part.*` are one box of 20 × 40 × 60 mm whose lower half of faces is "red" with a picture, the others "metal".
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import bpy

SIZE = (0.02, 0.04, 0.06)
FOLDER = Path(sys.argv[1])


def empty() -> None:
    bpy.ops.wm.read_factory_settings(use_empty=True)


def save(name: str) -> None:
    bpy.ops.wm.save_as_mainfile(filepath=str(FOLDER / name), compress=False)


def box(name: str, size: tuple[float, float, float] = SIZE, collection: Any = None) -> Any:
    bpy.ops.mesh.primitive_cube_add(size=1.0)
    item = bpy.context.object
    item.name, item.data.name = name, name
    for vertex in item.data.vertices:
        vertex.co = [c * s for c, s in zip(vertex.co, size, strict=True)]
    if collection is not None:
        for held in item.users_collection:
            held.objects.unlink(item)
        collection.objects.link(item)
    return item


def material(name: str, colour: tuple[float, float, float], metallic: float = 0.0, picture: Any = None) -> Any:
    made = bpy.data.materials.new(name)
    made.use_nodes = True
    shader = made.node_tree.nodes["Principled BSDF"]
    shader.inputs["Base Color"].default_value = (*colour, 1.0)
    shader.inputs["Metallic"].default_value = metallic
    if picture is not None:
        texture = made.node_tree.nodes.new("ShaderNodeTexImage")
        texture.image = picture
        made.node_tree.links.new(texture.outputs["Color"], shader.inputs["Base Color"])
    return made


def collection(name: str) -> Any:
    made = bpy.data.collections.new(name)
    bpy.context.scene.collection.children.link(made)
    return made


def part() -> None:
    """The same part in every format."""
    empty()
    picture = bpy.data.images.new("skin", 8, 8)
    picture.pixels = [0.8, 0.02, 0.02, 1.0] * 64
    picture.filepath_raw, picture.file_format = str(FOLDER / "skin.png"), "PNG"
    picture.save()
    picture = bpy.data.images.load(str(FOLDER / "skin.png"))
    item = box("part")
    item.data.materials.append(material("red", (1, 1, 1), picture=picture))
    item.data.materials.append(material("metal", (0.9, 0.9, 0.9), metallic=1.0))
    for face in item.data.polygons:
        face.material_index = int(face.normal.z > -0.5 and face.normal.x < 0.5)
    save("part.blend")
    path = str(FOLDER / "part")
    bpy.ops.export_scene.gltf(filepath=f"{path}.glb")
    bpy.ops.export_scene.gltf(filepath=f"{path}.gltf", export_format="GLTF_SEPARATE")
    bpy.ops.export_scene.fbx(filepath=f"{path}.fbx", path_mode="COPY", embed_textures=True)
    for suffix in ("usda", "usdc", "usdz"):
        bpy.ops.wm.usd_export(filepath=f"{path}.{suffix}")
    bpy.ops.wm.obj_export(filepath=f"{path}.obj", path_mode="COPY", forward_axis="Y", up_axis="Z")


def kit() -> None:
    """Two collections in a scene whose unit is the millimetre: three boxes in a row by a modifier, and an instance."""
    empty()
    bpy.context.scene.unit_settings.scale_length = 0.001
    row = box("row", (10, 20, 30), collection("row"))
    array = row.modifiers.new("array", "ARRAY")
    array.count, array.relative_offset_displace[0] = 3, 2.0
    hidden = row.modifiers.new("not in renders", "BEVEL")
    hidden.show_render = False
    bpy.ops.object.collection_instance_add(collection="row", location=(0, 0, 40))
    instance = bpy.context.object
    pair = collection("pair")
    instance.users_collection[0].objects.unlink(instance)
    pair.objects.link(instance)
    pair.objects.link(row)
    save("kit.blend")


def scripted() -> None:
    """Everything by which a .blend can run Python: a text that registers itself, a driver, a handler in that text."""
    empty()
    item = box("bait")
    target = str(FOLDER / "touched")
    code = f"open({target!r}, 'w').write('x')"
    text = bpy.data.texts.new("startup.py")
    text.write(f"import bpy\n{code}\nbpy.app.handlers.depsgraph_update_post.append(lambda *_: {code})\n")
    text.use_module = True
    driver = item.driver_add("location", 0).driver
    driver.type, driver.expression = "SCRIPTED", f"[0, {code}][0]"
    item.data.materials.append(material("bait", (1, 0, 0)))
    driver = (
        item.data.materials[0].node_tree.driver_add('nodes["Principled BSDF"].inputs["Roughness"].default_value').driver
    )
    driver.type, driver.expression = "SCRIPTED", f"[0.5, {code}][0]"
    save("scripted.blend")
    # As a library that somebody hands on with a dataset: the mesh has the name that ours have.
    item.data.name = "ingested"
    bpy.data.libraries.write(str(FOLDER / "scripted_library.blend"), {item.data})


def growing() -> None:
    """Small files that would fill any memory."""
    for name, kind, values in (
        ("array", "ARRAY", {"count": 1_000_000_000}),
        ("subdivided", "SUBSURF", {"render_levels": 11}),
    ):
        empty()
        modifier = box(name).modifiers.new("much", kind)
        for key, value in values.items():
            setattr(modifier, key, value)
        save(f"{name}.blend")
    empty()
    inner = collection("level 0")
    box("seed", collection=inner)
    for level in range(1, 7):
        outer = collection(f"level {level}")
        for _ in range(10):
            item = bpy.data.objects.new("copy", None)
            item.instance_type, item.instance_collection = "COLLECTION", inner
            outer.objects.link(item)
        inner = outer
    save("instances.blend")


def reaching_out() -> None:
    """Files that name what lies elsewhere."""
    empty()
    item = box("far")
    picture = bpy.data.images.new("far", 4, 4)
    picture.source, picture.filepath = "FILE", "//../../../../etc/passwd"
    item.data.materials.append(material("far", (1, 1, 1), picture=picture))
    save("far.blend")
    empty()
    with bpy.data.libraries.load(str(FOLDER / "part.blend"), link=True) as (_, wanted):
        wanted.objects = ["part"]
    bpy.context.scene.collection.objects.link(wanted.objects[0])
    save("linked.blend")
    empty()
    item = box("lamp")
    item.data.materials.append(material("lamp", (1, 1, 1)))
    _profile(item.data.materials[0].node_tree, "//lamp.ies")
    save("profile.blend")


def _profile(tree: Any, path: str) -> None:
    profile = tree.nodes.new("ShaderNodeTexIES")
    profile.mode, profile.filepath = "EXTERNAL", path


def open_libraries() -> None:
    """Libraries as a stranger may hand them on with a dataset: in each the mesh that ours have looks at other files."""
    empty()
    other = material("other", (1, 1, 1))
    bpy.data.libraries.write(str(FOLDER / "other.blend"), {other}, fake_user=True)
    for name in ("picture", "profile", "linked"):
        empty()
        item = box("open")
        item.data.name = "ingested"
        item.data.materials.append(material("open", (1, 0, 0)))
        tree = item.data.materials[0].node_tree
        if name == "picture":
            tree.nodes.new("ShaderNodeTexImage").image = bpy.data.images.load(str(FOLDER / "skin.png"))
        elif name == "profile":
            group = bpy.data.node_groups.new("group", "ShaderNodeTree")
            _profile(group, "/etc/passwd")
            tree.nodes.new("ShaderNodeGroup").node_tree = group
        else:
            with bpy.data.libraries.load(str(FOLDER / "other.blend"), link=True) as (_, wanted):
                wanted.materials = ["other"]
            item.data.materials.append(wanted.materials[0])
        bpy.data.libraries.write(str(FOLDER / f"{name}_library.blend"), {item.data})


def sheets() -> None:
    """`sheet.blend`, `sheet.glb`: plates of 100 × 80 × 6 mm, each of a material that lets light through in its own way.

    Upper and lower face (x and y are u and v) have a picture whose left half is transparent; sides are "rim".
    """
    empty()
    picture = bpy.data.images.new("half", 8, 8, alpha=True)
    picture.pixels = [v for _ in range(8) for x in range(8) for v in (0.1, 0.5, 0.1, float(x >= 4))]
    picture.filepath_raw, picture.file_format = str(FOLDER / "half.png"), "PNG"
    picture.save()
    picture = bpy.data.images.load(str(FOLDER / "half.png"))
    for name, make in (
        ("mask", _mask),
        ("blend", _blend),
        ("glass", _glass),
        ("mix", _mix),
        ("noise", _noise),
        ("chain", _chain),
    ):
        item = box(name, (0.1, 0.08, 0.006), collection(name))
        item.data.materials.append(material(name, (0.8, 0.8, 0.8), picture=picture))
        item.data.materials.append(material("rim", (0.5, 0.1, 0.1)))
        make(item.data.materials[0].node_tree)
        for face in item.data.polygons:
            face.material_index = int(abs(face.normal.z) < 0.5)
            for loop in face.loop_indices:
                point = item.data.vertices[item.data.loops[loop].vertex_index].co
                item.data.uv_layers[0].uv[loop].vector = (point.x / 0.1 + 0.5, point.y / 0.08 + 0.5)
    save("sheet.blend")
    for name in ("mask", "blend", "glass"):
        for item in bpy.data.objects:
            item.select_set(item.name == name)
        bpy.ops.export_scene.gltf(filepath=str(FOLDER / f"sheet_{name}.glb"), use_selection=True)


def _mask(tree: Any) -> None:
    above = tree.nodes.new("ShaderNodeMath")
    above.operation, above.inputs[1].default_value = "GREATER_THAN", 0.4
    tree.links.new(tree.nodes["Image Texture"].outputs["Alpha"], above.inputs[0])
    tree.links.new(above.outputs[0], tree.nodes["Principled BSDF"].inputs["Alpha"])


def _blend(tree: Any) -> None:
    tree.links.new(tree.nodes["Image Texture"].outputs["Alpha"], tree.nodes["Principled BSDF"].inputs["Alpha"])


def _glass(tree: Any) -> None:
    tree.nodes["Principled BSDF"].inputs["Transmission Weight"].default_value = 1.0


def _mix(tree: Any) -> None:
    """Transparent where alpha is high: the other way round."""
    mix, clear = tree.nodes.new("ShaderNodeMixShader"), tree.nodes.new("ShaderNodeBsdfTransparent")
    tree.links.new(tree.nodes["Image Texture"].outputs["Alpha"], mix.inputs[0])
    tree.links.new(tree.nodes["Principled BSDF"].outputs[0], mix.inputs[1])
    tree.links.new(clear.outputs[0], mix.inputs[2])
    tree.links.new(mix.outputs[0], tree.nodes["Material Output"].inputs["Surface"])


def _chain(tree: Any) -> None:
    """Forty nodes, each of which uses the one before twice."""
    last = tree.nodes["Image Texture"].outputs["Alpha"]
    for _ in range(40):
        node = tree.nodes.new("ShaderNodeMath")
        node.operation = "MULTIPLY"
        tree.links.new(last, node.inputs[0])
        tree.links.new(last, node.inputs[1])
        last = node.outputs[0]
    tree.links.new(last, tree.nodes["Principled BSDF"].inputs["Alpha"])


def _noise(tree: Any) -> None:
    noise = tree.nodes.new("ShaderNodeTexNoise")
    tree.links.new(noise.outputs[0], tree.nodes["Principled BSDF"].inputs["Alpha"])


if __name__ == "__main__":
    sheets()
    part()
    kit()
    scripted()
    growing()
    reaching_out()
    open_libraries()
