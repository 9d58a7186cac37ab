"""COCO's annotations of defects, from records that are made up."""

from __future__ import annotations

from typing import Any

import pytest

from scenewright.datasets.coco import OBJECTS, _defects


@pytest.mark.parametrize(
    ("annotated", "parent"),
    [(True, {"parent_id": 7 * OBJECTS + 3}), (False, {"parent_id": None, "parent_object": 3})],
)
def test_a_defect_names_the_annotation_of_its_object_or_none(annotated: bool, parent: dict[str, Any]) -> None:
    """An object that is left out has no annotation: its defect points at nothing, and tells its id in the scene."""
    defect = {
        "id": 32001, "category_id": 4, "bbox": [0, 0, 1, 1], "area": 1, "rle": "x", "annotated": True,
        "attributes": {"parent_id": 3, "severity": 0.5},
    }  # fmt: skip
    hidden = defect | {"id": 32002, "annotated": False}
    record = {
        "index": 7, "width": 2, "height": 2, "instances": [{"id": 3, "annotated": annotated}],
        "defects": [defect, hidden],
    }  # fmt: skip
    (item,) = _defects(record)
    assert item["id"] == 7 * OBJECTS + 32001 and item["image_id"] == 8
    assert item["attributes"] == {"severity": 0.5} | parent
