"""Polished plastics with swirls, specks and mica, and felt."""

from __future__ import annotations

from typing import Any

from .shader_graph import Graph, Scalar, Wire
from .shader_wear import RGB, Skin, dim, finish, scratches, smudged

__all__ = ["acrylic", "felt", "marbled", "speckled"]

Values = dict[str, Any]

#: Mean path of light in filled acrylic, metres, at `clear` 1; red goes farthest.
PATH_M = 0.0025
PATHS: RGB = (1.0, 0.8, 0.6)


def acrylic(g: Graph, v: Values) -> Any:
    """Tumbled and polished plastic of one colour: sharp reflections, edges that let light through, fine scuffs."""
    broad = g.noise(9, detail=2, rough=0.6)
    tone = broad.step(0.3, 0.7).tint(dim(v["colour"], 0.92), dim(v["colour"], 1.06))
    return _polished(g, v, tone, v["clear"], v["pearl"])


def marbled(g: Graph, v: Values) -> Any:
    """Two melts stirred and pressed: the swirl goes through the body, so it meets at the edges."""
    size = v["swirl_mm"]
    turn = g.call("ShaderNodeTexNoise", {"Vector": g.shifted(1.4 * size), "Scale": 1.0, "Detail": 1.0}, "Color")
    # The stir: each point takes its colour from up to a swirl away, which draws blots out into streaks.
    stirred = g.vector("MULTIPLY_ADD", turn, (0.004 * size,) * 3, g.position)
    streaks = g.noise(size, detail=3, rough=0.55, stretch=(2.2, 1, 1), at=stirred)
    middle, soft = 0.5 - 0.32 * (v["share"] - 0.5), 0.012 + 0.11 * v["blend"]
    body = streaks.step(middle - soft, middle + soft).tint(v["second"], v["colour"])
    return _polished(g, v, body, v["clear"], v["pearl"], streaks)


def speckled(g: Graph, v: Values) -> Any:
    """Chips of other colours in the melt, as in granite: ragged, of all sizes up to one and a half times the middle."""
    size, density = v["speck_mm"], v["density"]
    ragged = g.call("ShaderNodeTexNoise", {"Vector": g.shifted(0.7 * size), "Scale": 1.0, "Detail": 2.0}, "Color")
    bent = g.vector("MULTIPLY_ADD", ragged, (0.0016 * size,) * 3, g.position)
    chance, other, _ = g.split(g.cells(size, "Color", at=bent))
    fine = g.noise(0.35 * size, detail=1).step(0.66 - 0.1 * density, 0.69 - 0.1 * density) * (0.8 * density)
    speck = g.math("MAXIMUM", chance.step(1 - density, 1.02 - density), fine)
    chip = other.step(0.68, 0.7).tint(v["second"], v["third"])
    body = speck.tint(v["colour"], chip)
    return _polished(g, v, body, 0.0, 0.0)


def _polished(g: Graph, v: Values, colour: Wire, clear: float, pearl: float, flow: Wire | None = None) -> Any:
    """The skin that all of them have: a gloss that handling dulls in places and scratches in others."""
    marks = scratches(g, v["wear"], length_mm=4, width_mm=0.06)
    wave = g.noise(5, detail=1)
    mica = 0.0 if pearl == 0 else _mica(g, flow, pearl)
    shiny: Wire | RGB = colour if isinstance(mica, float) else (mica * 0.5).tint(colour, _brighter(g, colour))
    skin = Skin(
        colour=(marks * (0.25 * v["wear"])).tint(shiny, (0.5, 0.5, 0.5)),
        roughness=v["roughness"] + marks * 0.25 if isinstance(mica, float) else mica * 0.25 + v["roughness"],
        metallic=mica,
        height_mm=(wave - 0.5) * 0.03,
        more={"ior": 1.49, "coat_weight": min(1.0, 2 * pearl), "coat_roughness": v["roughness"]} | _inside(clear),
    )
    return finish(g, smudged(g, skin, 0.06), v["dust"])


def _inside(clear: float) -> dict[str, Scalar | RGB]:
    """Inputs for light that enters: none at 0, which costs nothing."""
    if clear == 0:
        return {}
    return {"subsurface_weight": clear, "subsurface_scale": PATH_M * (0.2 + 0.8 * clear), "subsurface_radius": PATHS}


def _mica(g: Graph, flow: Wire | None, pearl: float) -> Wire:
    """How much of the surface is flakes that lie flat in the flow."""
    streaks = g.noise(4, detail=3, rough=0.6, stretch=(3, 1, 1)) if flow is None else flow
    return streaks.step(0.42, 0.62) * (0.75 * pearl)


def _brighter(g: Graph, colour: Wire) -> Wire:
    return g.vector("MULTIPLY_ADD", colour, (1.6, 1.6, 1.6), (0.03, 0.03, 0.03))


def felt(g: Graph, v: Values) -> Any:
    """Matted or cut pile: strands every way, a nap that is lighter where it was brushed, lint, and a grazing sheen."""
    g.lay_flat()
    pile = v["pile_mm"]
    seen = g.resolved(0.0006)
    fibres = seen.lerp(0.5, g.noise(0.35, detail=2, rough=0.7))
    strands = scratches(g, 0.9, length_mm=5, width_mm=0.10) * seen
    clumps = g.noise(1.6 + 2 * pile, detail=2, rough=0.6)
    brushed = g.noise(60, detail=2, rough=0.55, stretch=(2.5, 1, 1))
    worn = g.noise(140, detail=3).step(0.5, 0.75) * (0.35 * v["wear"])
    tone = (fibres - 0.5) * 0.9 + (clumps - 0.5) * 0.7 + (brushed - 0.5) * (1.6 * v["nap"]) + 0.45
    body = tone.clamped().tint(dim(v["colour"], 0.55), dim(v["colour"], 1.45))
    skin = Skin(
        colour=(strands * 0.30 + worn * 0.4).clamped().tint(body, dim(v["colour"], 2.2)),
        roughness=0.95,
        height_mm=(fibres - 0.5) * (0.12 + 0.1 * pile) + (clumps - 0.5) * (0.3 * pile),
        more={
            "specular_ior_level": 0.1,
            "sheen_weight": 0.25 + 0.4 * min(1.0, pile),
            "sheen_roughness": 0.45,
            "sheen_tint": dim(v["colour"], 2.5),
        },
    )
    return finish(g, skin, v["dust"])
