"""Plastic, rubber, glass and ceramic."""

from __future__ import annotations

from typing import Any

from .shader_graph import Graph
from .shader_wear import Skin, dim, finish, scratches, smudged

__all__ = ["ceramic", "glass", "plastic", "rubber"]

Values = dict[str, Any]


def plastic(g: Graph, v: Values) -> Any:
    """Moulded plastic: an eroded texture of 0.3 mm, sink marks, scuffs paler than the pigment, grime in the corners."""
    mould = g.noise(0.34, detail=1)
    broad = g.noise(18, detail=4, rough=0.6)
    marks = scratches(g, v["wear"], width_mm=0.15)
    scuffed = (marks * 0.45 + broad.step(0.56, 0.75) * (0.10 * v["wear"])) * v["wear"]
    stained = 0.02 + 0.08 * v["wear"]  # pigment is even; hands and years are not
    tone = broad.step(0.3, 0.7).tint(dim(v["colour"], 1 - stained), dim(v["colour"], 1 + 0.5 * stained))
    grime = g.cavity(2.5).step(0.3, 0.9) * (0.6 * v["wear"])
    skin = Skin(
        colour=grime.tint(
            scuffed.tint(tone, dim(v["colour"], 0.6) if min(v["colour"]) > 0.4 else (0.5, 0.5, 0.5)),
            (0.05, 0.045, 0.04),
        ),
        roughness=v["roughness"] + marks * 0.2 + grime * 0.2,
        height_mm=(mould - 0.5) * (0.035 * v["texture"]) + (broad - 0.5) * 0.08,
        more={"ior": 1.5},
    )
    return finish(g, smudged(g, skin, 0.08 + 0.3 * v["wear"]), v["dust"])


def rubber(g: Graph, v: Values) -> Any:
    """Vulcanised rubber: matt, faintly pebbled, with grey bloom in blotches and dust that clings to every side."""
    pebble = g.noise(0.5, detail=2)
    patches = g.noise(12, detail=6, rough=0.65)
    marks = scratches(g, v["wear"], width_mm=0.2)
    bloom = (patches.step(0.40, 0.72) * 0.22 + pebble.step(0.55, 0.75) * 0.06) * v["bloom"] + marks * (0.15 * v["wear"])
    skin = Skin(
        colour=bloom.tint(v["colour"], (0.30, 0.29, 0.27)),
        roughness=v["roughness"] + bloom * 0.3,
        height_mm=(pebble - 0.5) * 0.06 + (patches - 0.5) * 0.10,
        more={"ior": 1.52, "specular_ior_level": 0.4},
    )
    return finish(g, smudged(g, skin, 0.16), v["dust"])


def glass(g: Graph, v: Values) -> Any:
    """Pressed soda-lime glass, slightly wavy, with fingerprints. Light passes it on the way to what it shades:
    shadow rays see a tinted pane rather than a solid, or a bottle would stand in its own darkness.
    """
    prints = g.noise(13, detail=6, rough=0.7).step(0.50, 0.72) * v["smudges"]
    wave = g.noise(16, detail=1)
    skin = Skin(
        colour=v["colour"],
        roughness=v["roughness"] + prints * 0.16,
        height_mm=(wave - 0.5) * 0.12,
        more={"transmission_weight": 1.0 - prints * 0.04, "ior": 1.52},
    )
    surface = finish(g, skin, v["dust"])
    clear = g.node("ShaderNodeBsdfTransparent")
    g.feed(clear.inputs["Color"], dim(v["colour"], 0.9))
    pane = g.node("ShaderNodeMixShader")
    g.feed(pane.inputs[0], g.call("ShaderNodeLightPath", {}, "Is Shadow Ray"))
    g.tree.links.new(surface, pane.inputs[1])
    g.tree.links.new(clear.outputs[0], pane.inputs[2])
    return pane.outputs[0]


def ceramic(g: Graph, v: Values) -> Any:
    """Stoneware under a clear glaze: it pools darker in hollows, breaks paler over rims, carries iron specks."""
    pool = g.noise(14, detail=3)
    wave = g.noise(6, detail=1)
    rim = g.edge(1.5) * 0.5
    chance = g.cells(2.8)
    specks = (chance + (pool - 0.5) * 0.15).step(0.04 + 0.08 * v["speckle"], 0.02 + 0.05 * v["speckle"]) * min(
        1.0, 3 * v["speckle"]
    )
    marks = scratches(g, v["wear"], length_mm=10, width_mm=0.1)
    body = pool.step(0.3, 0.7).tint(dim(v["colour"], 0.84), dim(v["colour"], 1.06))
    body = rim.tint(body, (0.52, 0.42, 0.30) if max(v["colour"]) < 0.5 else dim(v["colour"], 1.12))
    skin = Skin(
        colour=(specks * 0.85).tint(body, (0.045, 0.028, 0.018)),
        roughness=0.45,
        height_mm=(wave - 0.5) * 0.10 + (pool - 0.5) * 0.15,
        more={"coat_weight": 1.0, "coat_roughness": v["roughness"] + marks * (0.3 * v["wear"]), "coat_ior": 1.52},
    )
    return finish(g, smudged(g, skin, 0.15), v["dust"])
