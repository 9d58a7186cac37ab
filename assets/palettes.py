"""Colours of everyday surfaces: diffuse albedo (glass: transmittance), linear Rec.709, estimates."""

from __future__ import annotations

from .material import RGB

__all__ = [
    "ALLOYS",
    "ANODISED",
    "CERAMICS",
    "FABRICS",
    "FELTS",
    "GLASSES",
    "GLOSSIES",
    "GREYS",
    "INKS",
    "KRAFTS",
    "LEATHERS",
    "PAINTS",
    "PAPERS",
    "PLASTICS",
    "RUBBERS",
    "SWIRLS",
    "WOODS",
]

PAINTS: tuple[RGB, ...] = (
    (0.02, 0.10, 0.30),  # signal blue
    (0.42, 0.02, 0.02),  # machine red
    (0.70, 0.38, 0.01),  # traffic yellow
    (0.02, 0.16, 0.07),  # machine green
    (0.30, 0.32, 0.32),  # light grey
    (0.05, 0.06, 0.07),  # anthracite
    (0.65, 0.64, 0.58),  # cream white
    (0.60, 0.13, 0.01),  # orange
)
PLASTICS: tuple[RGB, ...] = (
    (0.02, 0.02, 0.022),
    (0.68, 0.67, 0.63),
    (0.45, 0.02, 0.02),
    (0.01, 0.09, 0.38),
    (0.72, 0.45, 0.02),
    (0.03, 0.25, 0.08),
    (0.60, 0.16, 0.02),
    (0.22, 0.23, 0.24),
    (0.02, 0.28, 0.33),
    (0.62, 0.52, 0.36),
)
FABRICS: tuple[RGB, ...] = (
    (0.30, 0.26, 0.20),  # linen
    (0.03, 0.06, 0.14),  # indigo
    (0.28, 0.04, 0.05),  # wine
    (0.10, 0.12, 0.06),  # olive
    (0.16, 0.16, 0.17),  # grey
    (0.50, 0.47, 0.42),  # unbleached
    (0.03, 0.12, 0.13),  # petrol
)
WOODS: tuple[RGB, ...] = (
    (0.40, 0.265, 0.145),  # oak
    (0.47, 0.33, 0.19),  # beech
    (0.115, 0.070, 0.040),  # walnut
    (0.52, 0.375, 0.20),  # pine
    (0.26, 0.150, 0.075),  # cherry
    (0.24, 0.190, 0.135),  # weathered bench
    (0.17, 0.110, 0.060),  # stained oak
)
CERAMICS: tuple[RGB, ...] = (
    (0.72, 0.70, 0.65),
    (0.60, 0.53, 0.40),
    (0.03, 0.10, 0.26),
    (0.06, 0.18, 0.16),
    (0.30, 0.09, 0.04),
    (0.04, 0.04, 0.045),
    (0.35, 0.42, 0.45),
)
GLASSES: tuple[RGB, ...] = (
    (0.97, 0.985, 0.98),
    (0.97, 0.985, 0.98),
    (0.45, 0.78, 0.52),
    (0.72, 0.36, 0.10),
    (0.50, 0.74, 0.90),
)
INKS: tuple[RGB, ...] = (
    (0.03, 0.03, 0.035),
    (0.55, 0.03, 0.03),
    (0.02, 0.09, 0.32),
    (0.02, 0.16, 0.06),
    (0.70, 0.68, 0.62),
    (0.55, 0.36, 0.08),
)
KRAFTS: tuple[RGB, ...] = ((0.38, 0.275, 0.165), (0.43, 0.325, 0.205), (0.32, 0.220, 0.125))
GREYS: tuple[RGB, ...] = ((0.32, 0.31, 0.29), (0.24, 0.235, 0.225), (0.40, 0.37, 0.325))
RUBBERS: tuple[RGB, ...] = (
    (0.018, 0.018, 0.018),
    (0.03, 0.03, 0.032),
    (0.05, 0.05, 0.05),
    (0.22, 0.035, 0.02),
    (0.02, 0.05, 0.12),
)
PAPERS: tuple[RGB, ...] = ((0.78, 0.77, 0.74), (0.72, 0.68, 0.58), (0.66, 0.66, 0.65))
#: Pigments of polished plastic, as seen on dice.
GLOSSIES: tuple[RGB, ...] = (
    (0.52, 0.015, 0.018),  # red
    (0.005, 0.28, 0.07),  # green
    (0.70, 0.68, 0.58),  # ivory
    (0.012, 0.012, 0.014),  # black
    (0.72, 0.56, 0.01),  # yellow
    (0.01, 0.12, 0.42),  # blue
    (0.03, 0.008, 0.05),  # plum
    (0.17, 0.015, 0.045),  # wine
    (0.005, 0.11, 0.10),  # teal
    (0.17, 0.10, 0.035),  # bronze
)
#: What is stirred into them.
SWIRLS: tuple[RGB, ...] = (
    (0.012, 0.012, 0.014),
    (0.01, 0.20, 0.55),
    (0.75, 0.22, 0.01),
    (0.02, 0.20, 0.12),
    (0.20, 0.03, 0.28),
    (0.36, 0.03, 0.03),
    (0.30, 0.20, 0.06),
    (0.70, 0.70, 0.66),
)
FELTS: tuple[RGB, ...] = (
    (0.02, 0.11, 0.045),  # billiard green
    (0.16, 0.015, 0.02),  # claret
    (0.015, 0.03, 0.10),  # navy
    (0.025, 0.025, 0.027),  # black
    (0.17, 0.17, 0.175),  # grey
    (0.06, 0.02, 0.09),  # violet
)
#: Reflectance at normal incidence of what parts are turned and milled from.
ALLOYS: tuple[RGB, ...] = (
    (0.66, 0.65, 0.64),  # stainless steel
    (0.86, 0.87, 0.88),  # aluminium
    (0.56, 0.57, 0.58),  # carbon steel
    (0.86, 0.87, 0.88),
    (0.88, 0.74, 0.42),  # brass
)
#: Reflectance of aluminium under a dyed oxide film.
ANODISED: tuple[RGB, ...] = (
    (0.62, 0.62, 0.63),  # natural
    (0.030, 0.030, 0.034),  # black
    (0.36, 0.025, 0.03),  # red
    (0.02, 0.10, 0.42),  # blue
    (0.52, 0.33, 0.10),  # gold
    (0.17, 0.17, 0.18),  # grey
)
LEATHERS: tuple[RGB, ...] = (
    (0.20, 0.085, 0.035),  # brown
    (0.018, 0.017, 0.017),  # black
    (0.38, 0.21, 0.09),  # tan
    (0.14, 0.02, 0.015),  # oxblood
    (0.50, 0.43, 0.33),  # cream
    (0.10, 0.10, 0.105),  # grey
)
