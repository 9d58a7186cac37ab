"""Checks the labels of a finished dataset with other code than wrote them: `check_exact.py out/hardware --alone 20`.

From the stored pictures and records, those in quarantine included: the engines' agreement; every box, area and RLE
computed again by pycocotools from the id picture; ids cast again. For `--alone` objects, hidden ones first, the amodal
mask against a render of the object alone. Exit code 1 beyond a limit, and when any image is in quarantine.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
from common import table  # type: ignore[import-not-found]  # beside this script
from pycocotools import mask as coco

from scenewright.assets.files import add_folder
from scenewright.datasets.png import decode_ids
from scenewright.datasets.records import Record, indices, quarantine_folder, quarantined, read_record, record_path
from scenewright.farm.render_worker import MODULE
from scenewright.render.labels import InstanceLabel
from scenewright.render.rle import decode
from scenewright.render.worker import Worker
from scenewright.scenes.build import meshes_of
from scenewright.scenes.rays import cast
from scenewright.scenes.scene import RenderSettings, Scene

AGREE = 0.9999
Mask = npt.NDArray[np.bool_]


def wrong(label: InstanceLabel, ids: npt.NDArray[np.uint16]) -> Iterator[str]:
    """The fields of one label that pycocotools contradicts."""
    for name, mask in (("", ids == label.id), ("amodal_", None)):
        area, box, rle = (getattr(label, name + field) for field in ("area", "bbox", "rle"))
        if mask is None:
            mask = decode(rle, (ids.shape[0], ids.shape[1])) if rle else np.zeros(ids.shape, bool)
            if not (mask | (ids != label.id)).all():
                yield "amodal mask lacks visible pixels"
        encoded = coco.encode(np.asfortranarray(mask, dtype=np.uint8))
        if area != int(mask.sum()) or (rle and area != int(coco.area(encoded))):
            yield name + "area"
        if (tuple(box) if box else None) != (tuple(int(v) for v in coco.toBbox(encoded)) if mask.any() else None):
            yield name + "box"
        if rle is not None and rle != encoded["counts"].decode():
            yield name + "RLE"


def read(folder: Path, limit: int | None) -> Iterator[tuple[Record, npt.NDArray[np.uint16]]]:
    """Records by index with their id pictures; without those in quarantine the engines could not but agree."""
    aside = {i: quarantine_folder(folder, i) for i in quarantined(folder)}
    for index in sorted({*indices(folder), *aside})[:limit]:
        record = read_record(aside[index] / "record.json" if index in aside else record_path(folder, index))
        picture = aside[index] / "ids.png" if index in aside else folder / record.ids
        yield record, decode_ids(picture.read_bytes(), record.width, record.height)


def alone(worker: Worker, scene: Scene, object_id: int, target: Path) -> Mask:
    """Cycles' mask of one object of a scene without all others."""
    only = tuple(o for o in scene.objects if o.id == object_id)
    bare = scene.replace(objects=only, surface=None, fixtures=(), backplate=None, lights=())
    job = bare.replace(render=RenderSettings(samples=1, denoise=False))
    worker.send({"scene": job.to_json(), "target": str(target), "linear": False})
    answer = worker.receive()
    if answer is None or answer["status"] != "ok":
        raise SystemExit(worker.post_mortem() if answer is None else answer["reason"])
    with np.load(target) as arrays:
        return np.asarray(arrays["ids"] == object_id)


def amodal_agreement(folder: Path, chosen: list[tuple[Record, InstanceLabel]]) -> list[float]:
    """For each chosen label, the share of the image's pixels in which its amodal mask is that of a render alone."""
    files = [str(p) for p in (folder / "assets").glob("*")] if (folder / "assets").is_dir() else []
    worker = Worker(MODULE, {"kind": "scene", "engine": "cycles", "device": "cpu", "threads": None, "files": files})
    try:
        if worker.receive() is None:
            raise SystemExit(worker.post_mortem())
        with tempfile.TemporaryDirectory() as temporary:
            target = Path(temporary) / "frame.npz"
            return [
                float((alone(worker, r.scene, i.id, target) == decode(i.amodal_rle or "", (r.height, r.width))).mean())
                for r, i in chosen
            ]
    finally:
        worker.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description="Exactness of a dataset's labels, checked independently")
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--images", type=int, default=None, help="only the first N")
    parser.add_argument("--alone", type=int, default=20, help="objects rendered alone (needs bpy)")
    args = parser.parse_args()
    if (args.dataset / "assets").is_dir():
        add_folder(args.dataset / "assets")
    pixels = disagreeing = recast = labels = images = 0
    worst, faults, candidates = 1.0, Counter[str](), []
    aside = len(quarantined(args.dataset))
    for record, ids in read(args.dataset, args.images):
        images += 1
        pixels, disagreeing = pixels + ids.size, disagreeing + record.verification.disagreeing
        worst = min(worst, record.verification.agreement)
        recast += int((cast(record.scene, meshes_of(record.scene)).ids != ids).sum())
        labels += len(record.instances)
        for label in record.instances:
            faults.update(wrong(label, ids))
            if label.amodal_rle is not None:
                candidates.append((record, label))
    if not images:
        raise SystemExit(f"{args.dataset} holds no finished image")
    # Hidden objects first, in a fixed order; they are where a mask can be wrong.
    candidates.sort(key=lambda c: (c[1].visibility > 0.9, c[0].index, c[1].id))
    step = max(1, len(candidates) // max(1, args.alone))
    same = amodal_agreement(args.dataset, candidates[::step][: args.alone]) if args.alone else []
    rows = [
        ("engines agree, all pixels", f"{1 - disagreeing / pixels:.5%}", f"≥ {AGREE:.2%}"),
        ("engines agree, worst image", f"{worst:.5%}", ""),  # its limit is that of quarantine
        ("the same, rays cast again", f"{1 - recast / pixels:.5%}", f"≥ {AGREE:.2%}"),
        ("quarantined images", aside, 0),
        *((f"labels with wrong {name}", n, 0) for name, n in sorted(faults.items())),
        ("labels that pycocotools contradicts", sum(faults.values()), 0),
    ]
    if same:
        rows += [
            ("amodal against alone, mean", f"{np.mean(same):.5%}", f"≥ {AGREE:.2%}"),
            ("amodal against alone, worst", f"{min(same):.5%}", f"≥ {AGREE:.2%}"),
        ]
    print(f"{args.dataset}: {images} images, {labels} labels, {len(same)} objects rendered alone")
    table(("check", "found", "limit"), rows)
    good = not faults and not aside and min([1 - disagreeing / pixels, 1 - recast / pixels, *same]) >= AGREE
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
