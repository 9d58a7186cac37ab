"""What writing COCO costs: `python tests/benchmarks/bench_coco.py [annotations]` prints CPU seconds and peak memory.

Exit code 1 beyond a limit: memory does not depend on the number of annotations, so a list in memory is found out.

The records are laid out as `records.write_record` does it and read as `records.record_dicts` does it, once; the cost of
going through them is taken off. Every annotation carries all its attributes: masks visible and amodal, pose, size, key
points. Every image carries its whole generation: each object's mesh, material, pose and drawn parameters.
"""

from __future__ import annotations

import re
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from scenewright.datasets.coco import write_coco
from scenewright.datasets.records import Counts, DatasetInfo
from scenewright.datasets.skim import skim

PER_IMAGE = 50
LIMIT_S, LIMIT_MB = 2.0, 64  # CPU seconds for a million annotations; memory whatever their number
MATRIX = [
    [0.862913, -0.505341, 0.0, 0.1234567],
    [0.25, 0.43, -0.87, -0.05],
    [0.44, 0.75, 0.5, 0.912],
    [0.0, 0.0, 0.0, 1.0],
]


def info() -> DatasetInfo:
    """A dataset of three categories."""
    counts = Counts(requested=0, images=0, quarantined=0, train=0, val=0, annotations=0)
    return DatasetInfo(
        name="bench", seed=1, categories=("nut", "bolt", "gear"), recipe={}, recipe_sha256="0" * 64, settings={},
        size=(640, 480), depth_unit_m=0.001, counts=counts,
    )  # fmt: skip


def instance(i: int) -> dict[str, Any]:
    """One object with a mask of 30 columns."""
    rle = "Xb" + "0".join(f"{chr(48 + (i + k) % 40)}O1" for k in range(30))
    attributes = {
        "visibility": (900 + i) / (1000 + i), "truncation": 0.0, "amodal_bbox": [i, 2 * i, 31, 33],
        "amodal_area": 1000 + i, "amodal_rle": rle + "2N1", "distance_m": 0.913456789, "cam_T_object": MATRIX,
        "size_m": [0.0123, 0.0123, 0.0071], "keypoints_px": {"head": [101.25, 88.125, 2], "tip": [131.5, 90.75, 1]},
    }  # fmt: skip
    return {
        "id": i + 1, "category": "nut", "category_id": i % 3 + 1, "area": 900 + i, "bbox": [i, 2 * i, 30, 31],
        "rle": rle, "annotated": True, "left_out": None, "attributes": attributes,
    }  # fmt: skip


def thing(i: int) -> dict[str, Any]:
    """One object of a scene: a washer of zinc."""
    wear = {"roughness": 0.35596016333, "yellow": 0.83039532202, "blotch": 0.8376570175, "wear": 0.9463, "dust": 0.8634}
    return {
        "id": i + 1, "category": "nut", "category_id": i % 3 + 1,
        "mesh": {"shape": "washer", "params": {"size": "M6", "series": "normal"}, "file": None, "library": None,
                 "unit": None, "up": None, "sha256": "0" * 64},
        "materials": {"body": {"family": "zinc", "values": wear, "seed": 347877650 + i, "texture": None}},
        "scale": 1.0, "world_T_object": MATRIX, "velocity_m_s": [0.0, 0.0, 0.0], "spin_rad_s": [0.0, 0.0, 0.0],
        "see_through": [], "cut_out": [], "defects": [],
        "parameters": {"objects.assets": {"value": 3, "quantile": 0.6712937014128374},
                       "objects.assets.3.params.size": {"value": "M6", "quantile": 0.11825764150153761},
                       "objects.assets.3.params.series": {"value": "normal", "quantile": None},
                       "objects.assets.3.scale": {"value": 1.0, "quantile": None},
                       "objects.assets.3.materials.body": {"value": "zinc", "quantile": 0.15298560831661945},
                       **{f"objects.assets.3.materials.body.0.values.{k}": {"value": v, "quantile": (v + i) % 1}
                          for k, v in wear.items()}},
    }  # fmt: skip


def record() -> Any:
    """A record of `PER_IMAGE` objects, as it comes back from the disk."""
    camera = {"fx": 800.0, "fy": 800.0, "cx": 320.0, "cy": 240.0, "cam_T_world": MATRIX, "focal_m": 0.05,
              "fstop": None, "focus_m": 1.0}  # fmt: skip
    scene: dict[str, Any] = {
        "seed": 1, "recipe": "bench", "recipe_sha256": "0" * 64, "surface": None, "world": {}, "lights": [],
        "group": 0, "view": 0, "timing": {"frame": 0, "frames": 1, "step_s": 0.04, "shutter_s": 0.0}, "fixtures": [],
        "sensor": [],
        "objects": [thing(i) for i in range(PER_IMAGE)], "camera": camera, "render": {},
        "parameters": {f"camera.{i}": {"value": 0.5 + i / 7, "quantile": i / 20} for i in range(20)},
    }  # fmt: skip
    whole = {"index": 0, "width": 640, "height": 480, "scene": scene,
             "instances": [instance(i) for i in range(PER_IMAGE)],
             "verification": {"passed": True}, "defects": [],
             "hashes": dict.fromkeys(("rgb", "ids", "depth", "labels"), "0" * 64),
             "device": "cpu", "maps": {}}  # fmt: skip
    return skim(orjson.dumps(whole))


def records(images: int) -> Iterator[dict[str, Any]]:
    """Synthetic records; all images share their content, so that nothing but the writing is measured."""
    shared = record()
    for index in range(images):
        name = f"{index:06d}.png"
        yield {
            **shared, "index": index, "image": f"images/{name}", "depth": f"depth/{name}", "ids": f"ids/{name}",
            "split": "val" if index % 5 == 0 else "train",
        }  # fmt: skip


def peak_mb() -> float:
    """Peak resident memory of this process (Linux); `ru_maxrss` would count what its parent held before the fork."""
    status = Path("/proc/self/status").read_text()
    return int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0]) / 1024


def measure(annotations: int) -> tuple[float, float, float]:
    """CPU seconds of the writing, peak resident memory in MB, and MB written."""
    images = annotations // PER_IMAGE
    start = time.process_time()
    for _ in records(images):
        pass
    idle = time.process_time() - start
    with tempfile.TemporaryDirectory() as folder:
        start = time.process_time()
        write_coco(records(images), info(), Path(folder))
        spent = time.process_time() - start - idle
        size = sum(p.stat().st_size for p in Path(folder).glob("annotations/*"))
    return spent, peak_mb(), size / 1e6


if __name__ == "__main__":
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    seconds, memory, written = measure(count)
    print(f"{count:,} annotations, {written:.0f} MB: {seconds:.2f} CPU s, peak {memory:.0f} MB")
    print(f"limits: {LIMIT_S:g} CPU s for a million or fewer, {LIMIT_MB} MB")
    sys.exit(0 if (seconds <= LIMIT_S or count > 1_000_000) and memory <= LIMIT_MB else 1)
