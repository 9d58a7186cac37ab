"""The transforms of albumentations that a recipe may use: those that change colours only, so that labels stay true."""

from __future__ import annotations

import difflib
import os
import sys
import warnings
from collections.abc import Mapping
from typing import Any

__all__ = ["PIXEL_LEVEL", "albumentations", "check_name", "make"]

#: Every ImageOnlyTransform of albumentations 2.0.8 that takes a colour picture alone and gives one of the same type.
PIXEL_LEVEL = (
    "AdditiveNoise", "AdvancedBlur", "AutoContrast", "Blur", "CLAHE", "ChannelDropout", "ChannelShuffle",
    "ChromaticAberration", "ColorJitter", "Defocus", "Downscale", "Emboss", "Equalize", "FancyPCA", "GaussNoise",
    "GaussianBlur", "GlassBlur", "HEStain", "HueSaturationValue", "ISONoise", "Illumination", "ImageCompression",
    "InvertImg", "MedianBlur", "MotionBlur", "MultiplicativeNoise", "PlanckianJitter", "PlasmaBrightnessContrast",
    "PlasmaShadow", "Posterize", "RGBShift", "RandomBrightnessContrast", "RandomFog", "RandomGamma", "RandomGravel",
    "RandomRain", "RandomShadow", "RandomSnow", "RandomSunFlare", "RandomToneCurve", "RingingOvershoot",
    "SaltAndPepper", "Sharpen", "ShotNoise", "Solarize", "Spatter", "Superpixels", "ToGray", "ToSepia", "UnsharpMask",
    "ZoomBlur",
)  # fmt: skip
#: What moves, crops or covers things: their labels would no longer be where the picture shows them.
SPATIAL = frozenset({
    "Affine", "AtLeastOneBBoxRandomCrop", "BBoxSafeRandomCrop", "CenterCrop", "CenterCrop3D", "CoarseDropout",
    "CoarseDropout3D", "ConstrainedCoarseDropout", "Crop", "CropAndPad", "CropNonEmptyMaskIfExists",
    "CubicSymmetry", "D4", "ElasticTransform", "Erasing", "FrequencyMasking", "GridDistortion", "GridDropout",
    "GridElasticDeform", "HorizontalFlip", "Lambda", "LongestMaxSize", "MaskDropout", "Morphological", "Mosaic",
    "OpticalDistortion", "OverlayElements", "Pad", "Pad3D", "PadIfNeeded", "PadIfNeeded3D", "Perspective",
    "PiecewiseAffine", "PixelDropout", "RandomCrop", "RandomCrop3D", "RandomCropFromBorders", "RandomCropNearBBox",
    "RandomGridShuffle", "RandomResizedCrop", "RandomRotate90", "RandomScale", "RandomSizedBBoxSafeCrop",
    "RandomSizedCrop", "Resize", "Rotate", "SafeRotate", "ShiftScaleRotate", "SmallestMaxSize", "SquareSymmetry",
    "ThinPlateSpline", "TimeMasking", "TimeReverse", "Transpose", "VerticalFlip", "XYMasking",
})  # fmt: skip
FOREIGN = {
    "FDA": "needs other pictures", "HistogramMatching": "needs other pictures",
    "PixelDistributionAdaptation": "needs other pictures", "TextImage": "needs a font file and texts",
    "FromFloat": "changes the type of the picture", "ToFloat": "changes the type of the picture",
    "Normalize": "changes the type of the picture", "ToRGB": "takes grey pictures",
    "ToTensorV2": "belongs into a training loader", "ToTensor3D": "belongs into a training loader",
}  # fmt: skip


def check_name(name: str) -> None:
    """ValueError for whatever is no pixel-level transform, with the reason."""
    if name in PIXEL_LEVEL:
        return
    if name in SPATIAL:
        raise ValueError(
            f"{name} moves or covers pixels, so masks, boxes and depth would no longer fit the picture: use a "
            "pixel-level transform here, and spatial ones when you train"
        )
    if name in FOREIGN:
        raise ValueError(f"{name} {FOREIGN[name]}: it cannot stand in a recipe")
    near = difflib.get_close_matches(name, PIXEL_LEVEL, n=1)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(PIXEL_LEVEL)}"
    raise ValueError(f"{name!r} is no transform of albumentations; {hint}")


def albumentations() -> Any:
    """The module, imported on demand: without a look at the network, and without torch, which it would drag in.

    torch costs 0.75 s and 180 MB of every worker, for `ToTensorV2` only.
    """
    os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
    hidden = "albumentations" not in sys.modules and "torch" not in sys.modules
    if hidden:
        sys.modules["albumentations.pytorch"] = None  # type: ignore[assignment]  # None: an import of it fails
    try:
        import albumentations as module
    finally:
        if hidden:
            del sys.modules["albumentations.pytorch"]
    return module


def make(name: str, params: Mapping[str, Any]) -> Any:
    """The transform with its arguments, applied always.

    Raises:
        ValueError: in one line: what albumentations does not take.
    """
    check_name(name)
    module = albumentations()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # it only warns of unknown arguments
            return getattr(module, name)(**{k: _tuples(v) for k, v in params.items()}, p=1.0)
    except (ValueError, TypeError, UserWarning) as e:
        raise ValueError(f"{name} refuses {dict(params)}: {_line(e)}") from None


def _tuples(value: Any) -> Any:
    """Lists as tuples, which is what albumentations asks for."""
    return tuple(map(_tuples, value)) if isinstance(value, list | tuple) else value


def _line(error: Exception) -> str:
    """The message in one line; of pydantic's, which albumentations hands on as text, the first place and its rule."""
    lines = [line.strip() for line in str(error).splitlines()]
    return f"{lines[1]}: {lines[2].partition(' [type=')[0]}" if "validation error" in lines[0] else lines[0]
