"""Which of an object's faces looks up: the value of a die, the side of a coin."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ..assets.mesh import Mesh
from ..errors import AssetError

__all__ = ["COCKED_DEG", "uppermost"]

#: A face that leans farther than this shows no value: a cocked die.
COCKED_DEG = 10.0


def uppermost(mesh: Mesh, faces: Sequence[str], rotation: npt.NDArray[np.float64]) -> tuple[str, float]:
    """The face that looks up most, and by how many degrees it leans.

    Args:
        faces: names of key points in the middles of the faces; a face looks from the mesh's origin to its key point.
        rotation: (3, 3) from the object frame to a world whose z is up.

    Raises:
        AssetError: the mesh has no key point of such a name.
    """
    unknown = [name for name in faces if name not in mesh.keypoints]
    if unknown:
        raise AssetError(
            f"category_by_top names the key point {unknown[0]!r}; the mesh has {', '.join(mesh.keypoints)}"
        )
    ways = np.array([mesh.keypoints[name] for name in faces])
    up = (ways @ rotation[2]) / np.linalg.norm(ways, axis=1)
    best = int(np.argmax(np.round(up, 9)))
    return faces[best], float(np.rad2deg(np.arccos(min(1.0, up[best]))))
