"""The scene of an image that was put aside, to see again what went wrong with it."""

from __future__ import annotations

from ..datasets.failures import read_failure
from ..datasets.files import exists, read_bytes
from ..datasets.place import Place
from ..datasets.records import quarantine_folder, read_info, read_record
from ..errors import DatasetError
from ..scenes.load import recipe_from_dict
from ..scenes.sample import sample
from ..scenes.scene import Scene

__all__ = ["aside_scene"]


def aside_scene(folder: Place, index: int) -> tuple[Scene, str]:
    """The scene, and why the image was put aside. Where its worker did not get so far, the scene is drawn here.

    Raises:
        DatasetError: the image was not put aside.
        ScenewrightError: its scene cannot be drawn; then this is the reason.
    """
    aside = quarantine_folder(folder, index)
    if exists(aside / "record.json"):
        record = read_record(aside / "record.json")
        return record.scene, record.reason or ""
    if not exists(aside / "failure.json"):
        raise DatasetError(f"{folder} has no image {index}, and none was put aside under this index")
    reason = read_failure(folder, index).reason
    if exists(aside / "scene.json"):
        return Scene.from_json(read_bytes(aside / "scene.json").decode()), reason
    info = read_info(folder)
    return sample(recipe_from_dict(info.recipe, None), index, info.seed), reason
