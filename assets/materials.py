"""What surfaces can be made of: each family's values with their limits, and the pair that makes or draws a material."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..errors import AssetError
from .material import RGB, FileRef, Material
from .palettes import CERAMICS, FABRICS, GLASSES, GREYS, INKS, KRAFTS, PAINTS, PAPERS, PLASTICS, RUBBERS, WOODS

__all__ = ["FAMILIES", "Family", "Palette", "Range", "material", "material_rand"]

#: Seeds are drawn below this bound, so that they survive JSON readers that keep numbers as 32-bit integers.
SEED_BOUND = 2**31


@dataclass(frozen=True)
class Range:
    """A number in [low, high], drawn uniformly."""

    low: float
    high: float
    default: float
    description: str

    def draw(self, rng: np.random.Generator) -> float:
        """One value, uniform over the range."""
        return float(rng.uniform(self.low, self.high))

    def check(self, name: str, value: float | RGB) -> float:
        """The value as a float; AssetError when it is a colour or outside the range."""
        if not isinstance(value, int | float) or not self.low <= value <= self.high:
            raise AssetError(f"{name} must be a number from {self.low:g} to {self.high:g}, got {value!r}")
        return float(value)


@dataclass(frozen=True)
class Palette:
    """A linear RGB colour: any triple in 0…1 is allowed, what is drawn lies near one of `colours`.

    `jitter` is the standard deviation of the log of the brightness; a third of it is given to each channel alone.
    """

    colours: tuple[RGB, ...]
    description: str
    jitter: float = 0.15

    @property
    def default(self) -> RGB:
        """The first colour."""
        return self.colours[0]

    def draw(self, rng: np.random.Generator) -> RGB:
        """One of the colours, a little lighter or darker, a little shifted in hue."""
        base = np.array(self.colours[int(rng.integers(len(self.colours)))])
        gain = np.exp(self.jitter * (rng.standard_normal() + rng.standard_normal(3) / 3))
        # Rounded, since the last bits of an exponential depend on the processor.
        r, g, b = (float(c) for c in np.round(np.clip(base * gain, 0.0, 1.0), 9))
        return r, g, b

    def check(self, name: str, value: float | RGB) -> RGB:
        """The value as a triple; AssetError when it is a number or leaves 0…1."""
        if not isinstance(value, tuple | list) or len(value) != 3 or not all(0 <= c <= 1 for c in value):
            raise AssetError(f"{name} must be a linear RGB triple, each from 0 to 1, got {value!r}")
        return float(value[0]), float(value[1]), float(value[2])


@dataclass(frozen=True)
class Family:
    """A kind of surface.

    Attributes:
        values: its parameters by name.
        needs_texture: the family is the picture that the mesh brings with it.
    """

    values: Mapping[str, Range | Palette]
    needs_texture: bool = False


def roughness(low: float, high: float) -> Range:
    """Microfacet roughness of the clean surface; 0 is a mirror."""
    return Range(low, high, (low + high) / 2, "microfacet roughness of the clean surface")


def wear(default: float = 0.4) -> Range:
    """How much the surface was used."""
    return Range(0.0, 1.0, default, "scratches, and edges rubbed bare: 0 is new, 1 is years in a drawer")


def dust(default: float = 0.25) -> Range:
    """How much dust lies on it."""
    return Range(0.0, 1.0, default, "dust on what faces up: 0 is wiped, 1 is a shelf left alone")


FAMILIES: dict[str, Family] = {
    "brushed_steel": Family(
        {
            "roughness": roughness(0.20, 0.40),
            "brush": Range(0.2, 1.0, 0.6, "depth of the brush lines, which run along the object's x axis"),
            "wear": wear(),
            "dust": dust(),
        }
    ),
    "cast_steel": Family(
        {
            "roughness": roughness(0.45, 0.65),
            "grain": Range(0.3, 1.0, 0.6, "depth of the as-cast skin: 1 is coarse sand"),
            "rust": Range(0.0, 1.0, 0.2, "share of the skin that has turned to rust"),
            "wear": wear(0.5),
            "dust": dust(),
        }
    ),
    "zinc": Family(
        {
            "roughness": roughness(0.24, 0.42),
            "yellow": Range(0.0, 1.0, 0.15, "passivation: 0 is clear to bluish, 1 is yellow chromate"),
            "blotch": Range(0.2, 1.0, 0.5, "unevenness of the passivation"),
            "wear": wear(),
            "dust": dust(),
        }
    ),
    "brass": Family(
        {
            "roughness": roughness(0.14, 0.34),
            "tarnish": Range(0.0, 1.0, 0.35, "brown oxide in blotches and corners"),
            "wear": wear(),
            "dust": dust(),
        }
    ),
    "black_oxide": Family(
        {
            "roughness": roughness(0.28, 0.46),
            "oil": Range(0.0, 1.0, 0.5, "film of preserving oil: 0 is dry and dull, 1 is wet"),
            "wear": wear(),
            "dust": dust(),
        }
    ),
    "painted_metal": Family(
        {
            "colour": Palette(PAINTS, "paint"),
            "roughness": roughness(0.15, 0.45),
            "orange_peel": Range(0.1, 1.0, 0.5, "waviness of the sprayed film"),
            "chips": Range(0.0, 1.0, 0.35, "paint knocked off, down to primer and metal"),
            "wear": wear(),
            "dust": dust(),
        }
    ),
    "plastic": Family(
        {
            "colour": Palette(PLASTICS, "pigment"),
            "roughness": roughness(0.22, 0.52),
            "texture": Range(0.0, 1.0, 0.4, "depth of the mould's eroded texture"),
            "wear": wear(),
            "dust": dust(),
        }
    ),
    "rubber": Family(
        {
            "colour": Palette(RUBBERS, "compound"),
            "roughness": roughness(0.55, 0.8),
            "bloom": Range(0.0, 1.0, 0.4, "greyish wax and talc that have come to the surface"),
            "wear": wear(),
            "dust": dust(0.4),
        }
    ),
    "glass": Family(
        {
            "colour": Palette(GLASSES, "transmittance of one surface", jitter=0.02),
            "roughness": roughness(0.0, 0.04),
            "smudges": Range(0.0, 1.0, 0.4, "fingerprints and dried drops"),
            "dust": dust(),
        },
    ),
    "ceramic": Family(
        {
            "colour": Palette(CERAMICS, "glaze"),
            "roughness": roughness(0.02, 0.14),
            "speckle": Range(0.0, 1.0, 0.3, "iron specks in the glaze"),
            "wear": wear(0.3),
            "dust": dust(),
        }
    ),
    "wood": Family(
        {
            "colour": Palette(WOODS, "earlywood", jitter=0.1),
            "roughness": roughness(0.28, 0.6),
            "plank_m": Range(0.08, 0.12, 0.1, "width of a plank; planks run along the object's x axis"),
            "ring_mm": Range(2.0, 5.0, 3.5, "width of a growth ring"),
            "knots": Range(0.0, 1.0, 0.4, "how many knots"),
            "wear": wear(),
            "dust": dust(),
        }
    ),
    "cardboard": Family(
        {
            "colour": Palette(KRAFTS, "liner", jitter=0.08),
            "flute_mm": Range(4.0, 8.0, 6.5, "pitch of the corrugation that shows through"),
            "wear": wear(),
            "dust": dust(),
        }
    ),
    "concrete": Family(
        {
            "colour": Palette(GREYS, "cement", jitter=0.08),
            "roughness": roughness(0.6, 0.85),
            "pores": Range(0.0, 1.0, 0.5, "air bubbles at the surface"),
            "stains": Range(0.0, 1.0, 0.5, "oil and water marks, 10–30 cm"),
            "cracks": Range(0.0, 1.0, 0.3, "hairline cracks"),
            "dust": dust(),
        }
    ),
    "fabric": Family(
        {
            "colour": Palette(FABRICS, "yarn"),
            "thread_mm": Range(0.7, 1.8, 1.0, "pitch of the plain weave"),
            "fuzz": Range(0.0, 1.0, 0.5, "loose fibres that catch light at grazing angles"),
            "creases": Range(0.0, 1.0, 0.4, "soft folds"),
            "dust": dust(0.15),
        }
    ),
    "paper": Family(
        {
            "colour": Palette(PAPERS, "sheet", jitter=0.05),
            "roughness": roughness(0.5, 0.8),
            "creases": Range(0.0, 1.0, 0.3, "folds and handling marks"),
            "wear": wear(0.3),
            "dust": dust(0.1),
        }
    ),
    "printed": Family(
        {
            "colour": Palette(PAINTS, "ground"),
            "ink": Palette(INKS, "what is printed on it"),
            "roughness": roughness(0.2, 0.5),
            "metallic": Range(0.0, 1.0, 0.0, "how much the ground is bare or lacquered metal, as on cans"),
            "repeats": Range(1.0, 3.0, 1.0, "how often the design comes along the UV map's u, as a whole number"),
            "wear": wear(0.2),
            "dust": dust(0.1),
        }
    ),
    "textured": Family(
        {
            "roughness": roughness(0.2, 0.9),
            "wear": wear(0.2),
            "dust": dust(0.1),
        },
        needs_texture=True,
    ),
}


def material(family: str, values: Mapping[str, float | RGB], seed: int, texture: FileRef | None = None) -> Material:
    """A checked material; values that are not given take their defaults, so that the result is complete.

    Raises AssetError for an unknown family or value (naming the choices), a value outside its limits, a negative
    seed, or a texture where the family has none, and the other way round.
    """
    spec = _family(family)
    _known(family, values)
    if seed < 0:
        raise AssetError(f"a material's seed must be 0 or more, got {seed}")
    if spec.needs_texture != (texture is not None):
        rule = "needs a texture image" if spec.needs_texture else "takes no texture image: use the family 'textured'"
        raise AssetError(f"material family {family!r} {rule}")
    complete = {
        name: limit.check(f"{family}.{name}", values.get(name, limit.default)) for name, limit in spec.values.items()
    }
    return Material(family=family, values=complete, seed=seed, texture=texture)


def material_rand(
    rng: np.random.Generator, family: str, given: Mapping[str, float | RGB], texture: FileRef | None = None
) -> Material:
    """A material with the values in `given`, the others and the seed drawn.

    Every value is drawn, given or not, each from its own child generator, so that fixing one moves no other.
    """
    spec = _family(family)
    _known(family, given)
    seed = int(rng.integers(SEED_BOUND))
    children = rng.spawn(len(spec.values))
    drawn = {name: limit.draw(child) for (name, limit), child in zip(spec.values.items(), children, strict=True)}
    return material(family, {**drawn, **given}, seed, texture)


def _family(name: str) -> Family:
    if name not in FAMILIES:
        raise AssetError(f"unknown material family {name!r}; the families are {', '.join(FAMILIES)}")
    return FAMILIES[name]


def _known(family: str, values: Mapping[str, object]) -> None:
    spec = FAMILIES[family]
    for name in values:
        if name not in spec.values:
            raise AssetError(f"material family {family!r} has no value {name!r}; it has {', '.join(spec.values)}")
