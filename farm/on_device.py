"""Where a model runs on a machine that a scheduler has chosen."""

from __future__ import annotations

from dataclasses import replace

from ..diffusion.placing import Placing

__all__ = ["placed"]


def placed(placing: Placing, gpu: bool) -> Placing:
    """What is asked for, but that "auto" takes no GPU which the scheduler has not given."""
    return replace(placing, device="cpu") if placing.device == "auto" and not gpu else placing
