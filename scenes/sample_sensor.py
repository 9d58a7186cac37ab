"""The sensor stage of an image: which effects it gets, their values, and the seeds of what they draw."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter

from .distribution import Distribution
from .pixel_transforms import make
from .recipe import Recipe
from .recipe_sensor import AlbumentationsSpec
from .rules import ImageDraws
from .scene import Value
from .sensor import Sensor
from .streams import stream

__all__ = ["sensor"]

_SENSOR: TypeAdapter[Sensor] = TypeAdapter(Sensor)
#: Fields of an effect that count something.
WHOLE = {("jpeg", "quality"), ("quantize", "bits")}


def sensor(recipe: Recipe, draw: ImageDraws, index: int) -> Sensor:
    """The effects that image `index` gets, in the recipe's order.

    Values are drawn once for all images of a group, which one camera took; noise is another in each image, and a
    sensor's own pattern the same in all.

    Raises:
        ValueError: computed arguments that a transform refuses.
    """
    effects: list[dict[str, Any]] = []
    for i, spec in enumerate(recipe.sensor):
        path = f"sensor.{i}"
        share = spec.probability
        if share < 1 and draw.pick(f"{path}.applied", [True, False], [share, 1 - share]) == 1:
            continue
        values = {name: draw(f"{path}.{name}") for name, dist in spec if isinstance(dist, Distribution)}
        values = {k: round(v) if (spec.effect, k) in WHOLE else v for k, v in values.items()}
        if isinstance(spec, AlbumentationsSpec):
            values |= {"transform": spec.transform, "params": _arguments(spec, path, draw)}
        if spec.effect in ("noise", "albumentations"):
            values["seed"] = _seed(draw, index, f"{path}.seed")
        if spec.effect == "noise":
            values["pattern_seed"] = _seed(draw, 0, f"{path}.pattern_seed")
        if "domain" in type(spec).model_fields:
            values["domain"] = spec.domain
        effects.append({"effect": spec.effect, **values})
    return _SENSOR.validate_python(effects)


def _seed(draw: ImageDraws, index: int, name: str) -> int:
    return int(stream(draw.seed, index, draw.named(name)).integers(1 << 32))


def _arguments(spec: AlbumentationsSpec, path: str, draw: ImageDraws) -> dict[str, Value | tuple[Any, ...]]:
    given = {
        name: draw(f"{path}.params.{name}") if isinstance(value, Distribution) else value
        for name, value in spec.params.items()
    }
    make(spec.transform, given)
    return given
