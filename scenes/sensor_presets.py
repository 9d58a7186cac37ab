"""Cameras by name, in the language of recipes: starting points to copy and change."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["SENSORS"]


def _uniform(low: float, high: float) -> dict[str, Any]:
    return {"dist": "uniform", "low": low, "high": high}


def _log(low: float, high: float) -> dict[str, Any]:
    return {"dist": "loguniform", "low": low, "high": high}


#: A phone's 12 MP picture scaled down to about a thirtieth of its pixels: little noise is left, edges carry halos, and
#: it is compressed again. 121 such photographs have JPEG tables of quality 60 to 69, noise below 0.5 of
#: 255 steps, and edges that rise from 10 to 90 % in 1.75 px (median) with overshoots of 2 to 9 %.
PHONE = (
    {"effect": "vignetting", "strength": _uniform(0.05, 0.25)},
    {"effect": "chromatic_aberration", "red_px": _uniform(-0.3, 0.3), "blue_px": _uniform(-0.3, 0.3)},
    {"effect": "blur", "sigma_px": _uniform(0.6, 0.8)},
    {"effect": "white_balance", "red": _uniform(0.96, 1.04), "blue": _uniform(0.94, 1.06)},
    {
        "effect": "noise", "iso": _log(50, 400), "base_iso": 50, "full_well_e": 6000, "read_noise_e": 2.0, "bits": 10,
        "binning": 12, "red_gain": 1.9, "blue_gain": 1.7,
    },
    {"effect": "demosaic", "amount": 0.25},
    {"effect": "denoise", "luma": _uniform(0.02, 0.05), "radius_px": 1.2, "chroma_px": _uniform(0.6, 1.5)},
    {"effect": "tone", "contrast": _uniform(0.0, 0.25), "saturation": _uniform(1.0, 1.15)},
    {"effect": "sharpen", "amount": _uniform(0.4, 1.0), "radius_px": _uniform(0.8, 1.3), "threshold": 0.004},
    {"effect": "jpeg", "quality": _uniform(58, 85)},
)  # fmt: skip
#: An industrial colour camera at full resolution: 3.45 µm photosites of 10,500 electrons and 2.4 of dark noise,
#: as datasheets of such sensors state; neither sharpened nor compressed.
MACHINE_VISION = (
    {"effect": "vignetting", "strength": _uniform(0.02, 0.3)},
    {"effect": "blur", "sigma_px": _uniform(0.35, 0.6)},
    {"effect": "exposure", "ev": {"dist": "truncnormal", "mean": 0, "std": 0.1, "low": -0.3, "high": 0.3}},
    {
        "effect": "noise", "iso": _log(100, 800), "full_well_e": 10500, "read_noise_e": 2.4, "bits": 12, "prnu": 0.006,
        "row_noise_e": 0.3, "red_gain": 1.6, "blue_gain": 1.8,
    },
    {"effect": "demosaic"},
)  # fmt: skip
#: A USB camera: small pixels, dim light, strong noise reduction, sharpening, and a video codec's compression.
WEBCAM = (
    {"effect": "vignetting", "strength": _uniform(0.15, 0.45)},
    {"effect": "chromatic_aberration", "red_px": _uniform(-0.8, 0.8), "blue_px": _uniform(-0.8, 0.8)},
    {"effect": "defocus", "radius_px": _uniform(0.6, 1.4)},
    {"effect": "exposure", "ev": _uniform(-0.4, 0.3)},
    {"effect": "white_balance", "red": _uniform(0.9, 1.1), "blue": _uniform(0.85, 1.15)},
    {"effect": "banding", "probability": 0.15, "strength": _uniform(0.01, 0.06), "period_px": _uniform(120, 400)},
    {
        "effect": "noise", "iso": _log(200, 1600), "full_well_e": 5000, "read_noise_e": 3.0, "row_noise_e": 1.0,
        "bits": 10, "red_gain": 1.8, "blue_gain": 1.8,
    },
    {"effect": "demosaic"},
    {"effect": "denoise", "luma": _uniform(0.05, 0.12), "radius_px": 1.5, "chroma_px": _uniform(1.5, 3)},
    {"effect": "tone", "contrast": _uniform(0.1, 0.4), "saturation": _uniform(0.85, 1.2)},
    {"effect": "sharpen", "amount": _uniform(0.8, 2.0), "radius_px": _uniform(0.9, 1.6)},
    {"effect": "jpeg", "quality": _uniform(45, 80)},
)  # fmt: skip
#: Large photosites and a good lens, scaled down to a quarter of the width, lightly sharpened and compressed.
DSLR = (
    {"effect": "vignetting", "strength": _uniform(0.0, 0.3)},
    {"effect": "chromatic_aberration", "red_px": _uniform(-0.2, 0.2), "blue_px": _uniform(-0.2, 0.2)},
    {"effect": "blur", "sigma_px": _uniform(0.35, 0.5)},
    {
        "effect": "noise", "iso": _log(100, 3200), "full_well_e": 50000, "read_noise_e": 3.0, "bits": 14, "binning": 16,
        "red_gain": 2.0, "blue_gain": 1.5,
    },
    {"effect": "tone", "contrast": _uniform(0.0, 0.15), "saturation": _uniform(1.0, 1.1)},
    {"effect": "sharpen", "amount": _uniform(0.2, 0.5), "radius_px": 0.8, "threshold": 0.004},
    {"effect": "jpeg", "quality": _uniform(88, 97), "subsampling": "4:2:2"},
)  # fmt: skip

SENSORS: Mapping[str, tuple[dict[str, Any], ...]] = {
    "phone": PHONE,
    "machine_vision": MACHINE_VISION,
    "webcam": WEBCAM,
    "dslr": DSLR,
}
