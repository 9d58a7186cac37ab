"""What a dataset says about the model that refined it."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from ..errors import UsageError
from ..scenes.scene import Frozen

__all__ = ["UNKNOWN", "ModelCard", "Part", "checked_license", "libraries", "settings"]

#: What is said of a licence or of training data that nobody knows.
UNKNOWN = "unknown"
LIBRARIES = (
    "torch", "diffusers", "transformers", "safetensors", "accelerate", "peft", "scenewright", "numpy",
    "opencv-python-headless",
)  # fmt: skip


class Part(Frozen):
    """A model, or something that was loaded beside it.

    `revision` is the commit on the hub. Without one, `sha256` has every file that decides what it makes, weights and
    configurations, keyed by its path in the folder.
    `scale` is how strongly a LoRA or an IP-Adapter acts.
    """

    id: str
    revision: str | None = None
    sha256: dict[str, str] = Field(default={})
    scale: float | None = None


class ModelCard(Frozen):
    """Everything about a loaded model that decides what it makes, and what others must know of it.

    `license` and `training_data` are what the user states, or "unknown". `scheduler_config` is the whole configuration
    of the scheduler. `variant` is the set of weights, where the model has several. `precision` is of the weights, and
    `quantised` the type that they are stored in where that has fewer bits. `threads` are those of a CPU. `notes` say
    what is wrong with any of this: they follow the data.
    """

    model: Part
    family: str
    pipeline: str
    controlnets: tuple[Part, ...] = ()
    loras: tuple[Part, ...] = ()
    ip_adapter: Part | None = None
    license: Annotated[str, Field(min_length=1)]
    training_data: Annotated[str, Field(min_length=1)] = UNKNOWN
    scheduler: str
    scheduler_config: dict[str, Any]
    precision: str
    quantised: str | None = None
    device: str
    threads: int | None = None
    offload: str = "none"
    vae_tiling: bool = False
    vae_slicing: bool = False
    compiled: bool = False
    variant: str | None = None
    safety_checker: bool = False
    versions: dict[str, str]
    notes: tuple[str, ...] = ()


def checked_license(license: str | None) -> tuple[str, tuple[str, ...]]:
    """A stated licence, and what is to be said about it; UsageError when none is stated."""
    stated = (license or "").strip()
    if not stated:
        raise UsageError(
            "the licence of the model is not stated, and it decides what may be done with what the model makes: give "
            f"it as its card does, such as openrail++ or apache-2.0, or say {UNKNOWN!r}"
        )
    if stated.lower() == UNKNOWN:
        return UNKNOWN, ("the licence of the model is unknown: nobody can say what may be done with these images",)
    return stated, ()


def libraries() -> dict[str, str]:
    """Name → version of what runs a model and judges what it makes."""
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def settings(scheduler: Any) -> dict[str, Any]:
    """The whole configuration of a scheduler as JSON has it.

    Without the names of what was left at its default, whose order differs from process to process.
    """
    return {str(k): _plain(v) for k, v in dict(scheduler.config).items() if k != "_use_default_values"}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [_plain(v) for v in value]
    return value if isinstance(value, (str, int, float, bool, type(None))) else str(value)
