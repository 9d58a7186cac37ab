"""`scenewright defects --inpaint` as a user runs it: with the embedded inpainter, in processes of their own."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import psutil
import pytest

from scenewright.datasets.derived import Variant, card_sha256
from scenewright.datasets.png import decode_ids
from scenewright.datasets.records import TWINS, indices, iter_records, read_info, read_record, record_path
from scenewright.datasets.validate import validate
from scenewright.farm.beats import heartbeats
from scenewright.farm.status import status

from .commands import Run, child, content
from .painted import SIZE, panels
from .tiny_models import Tiny

pytest.importorskip("torch", reason="needs the extra `diffusion`")
pytest.importorskip("diffusers", reason="needs the extra `diffusion`")

#: Few steps, since what is painted is not looked at here.
PAINT = ("--inpaint", "--rate", 1, "--kinds", "stain,oil", "--steps", 2)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return panels(tmp_path_factory.mktemp("plain") / "set")


@pytest.fixture(scope="module")
def painted(plain: Path) -> Path:
    """By one worker, from beginning to end."""
    out = plain.parent / "painted"
    ended = child("defects", plain, "--out", out, *PAINT)
    assert ended.code == 0, ended.err
    assert "painted: 4 images (4 new), " in ended.out and "with painted defects" in ended.out
    assert "stain" in ended.out and "requested, " in ended.out
    assert "4/4 images" in ended.err and "licence GPL-3.0-or-later" in ended.err
    return out


def test_what_comes_out_is_sound_and_says_where_it_came_from(run: Run, plain: Path, painted: Path) -> None:
    """Validation finds nothing; model, licence, weights and threads are in dataset.json, and records name them."""
    assert run("validate", painted).out == f"{painted}: nothing wrong\n"
    info = read_info(painted)
    assert info.derived is not None and info.derived.model is not None
    card = info.derived.model
    assert card.license == "GPL-3.0-or-later" and card.threads == 1 and "variety, not realism" in card.training_data
    assert [*card.model.sha256] == ["diffusion_pytorch_model.safetensors"] and {"torch", "diffusers"} <= {
        *card.versions
    }
    told = [r.derived for r in iter_records(painted) if isinstance(r.derived, Variant)]
    assert len(told) > 1 and {t.model for t in told} == {card_sha256(card)}
    defects = [d for t in told for d in t.defects]
    assert all(d.tries[0].tone is not None and d.prompt is None and d.material for d in defects)
    assert {(t.executed, t.strength) for d in defects for t in d.tries} == {(2, None)}


def test_status_of_a_painted_dataset(painted: Path) -> None:
    """It was asked for as many images as its source has, and its heartbeat counts them."""
    found = status(painted)
    assert (found.kind, found.requested, found.done) == ("variant", 4, 4)
    (beat,) = (seen.beat for seen in heartbeats(painted))
    assert beat.counts == {"ok": 4} and beat.settings.startswith("variant ") and beat.device == "cpu"


def test_a_killed_run_goes_on_with_two_workers(plain: Path, painted: Path) -> None:
    """SIGKILL of the command, which takes its worker along: then two workers make what is missing, with equal bytes."""
    out = plain.parent / "killed"
    command = [sys.executable, "-m", "scenewright", "defects", str(plain), "--out", str(out), *map(str, PAINT)]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    while not indices(out) and process.poll() is None:
        time.sleep(0.01)
    workers = psutil.Process(process.pid).children()
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    psutil.wait_procs(workers, timeout=10)
    assert workers and not any(w.is_running() and w.status() != psutil.STATUS_ZOMBIE for w in workers)
    left = len(indices(out))
    ended = child("defects", plain, "--out", out, *PAINT, "--workers", 2, "--json")
    told = json.loads(ended.out)
    assert ended.code == 0 and told["images"] == 4 and told["made"] == 4 - left < 4 and told["failed"] == {}
    assert told["defects"].keys() <= {"stain", "oil"} and all(d["requested"] for d in told["defects"].values())
    assert content(out) == content(painted)


def test_shares_at_the_same_time_give_the_same_bytes(plain: Path, painted: Path) -> None:
    """Two shares that know nothing of each other begin one dataset at once, and end with equal bytes."""
    out = plain.parent / "shares"
    command = [sys.executable, "-m", "scenewright", "defects", str(plain), "--out", str(out), *map(str, PAINT)]
    command += ["--executor", "index", "--shards", "2", "--shard"]
    both = [subprocess.Popen([*command, str(k)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for k in (0, 1)]
    assert [process.wait() for process in both] == [0, 0]
    assert content(out) == content(painted) and not (out / "model.json").exists()


def test_a_cluster_gives_the_same_bytes(plain: Path, painted: Path) -> None:
    """Painted by tasks of an embedded Ray cluster, an image is the same."""
    pytest.importorskip("ray", reason="needs the extra `farm`")
    out = plain.parent / "ray"
    ended = child("defects", plain, "--out", out, *PAINT, "--executor", "ray", "--ray", "local")
    assert ended.code == 0, ended.err
    assert content(out) == content(painted)


def test_another_plan_or_model_is_refused(run: Run, plain: Path, painted: Path) -> None:
    """A run with another seed, other kinds or other threads would not match: an error that says what differs."""
    before = content(painted)
    ended = run("defects", plain, "--out", painted, *PAINT, "--seed", 5)
    assert ended.code == 1 and "was made otherwise (it differs in plan.seed)" in ended.err
    assert "differs in recipe" in (e := run("defects", plain, "--out", painted, "--inpaint", "--rate", 0.5).err) or (
        "differs in plan" in e
    )
    assert content(painted) == before
    out = Path(shutil.copytree(painted, plain.parent / "threads"))
    record_path(out, 3).unlink()
    ended = run("defects", plain, "--out", out, *PAINT, "--threads", 2)
    assert ended.code == 1 and "another way to run it (threads differs)" in ended.err
    assert indices(out) == [0, 1, 2]


def test_derived_folders_stay_what_they_are(run: Run, recipe: Path, painted: Path) -> None:
    """Renders, twins and renders made again do not get into a folder of painted pictures."""
    assert "and no renders" in run("generate", recipe, "--out", painted).err
    assert "holds no renders" in run("twins", painted).err
    index = next(r.index for r in iter_records(painted) if r.derived)
    assert "is no render but variant" in run("rerender", painted, index).err


def test_what_cannot_be_meant_is_a_usage_error(run: Run, plain: Path, tmp_path: Path) -> None:
    """Exit code 2, and a sentence that says what to do."""
    out = tmp_path / "out"
    for arguments, said in (
        ((), "say --inpaint"),
        (("--inpaint", "--kinds", "dent"), "'dent' is no kind that is painted: choose from burn"),
        (("--inpaint", "--rate", 2), "above 0 up to 1; got 2"),
        (("--inpaint", "--masks", tmp_path / "none"), "is no folder"),
        (("--inpaint", "--masks", tmp_path, "--rate", 1), "leave --rate and --kinds out"),
        (("--inpaint", "--prompt", "x"), "--prompt is about a model of yours"),
        (("--inpaint", "--license", "mit"), "--license is about a model of yours"),
        (("--inpaint", "--training-data", "x"), "--training-data is about a model of yours"),
        (("--inpaint", "--negative-prompt", ""), "--negative-prompt is about a model of yours"),
        (("--inpaint", "--strength", "1"), "--strength is about a model of yours"),
        (("--inpaint", "--guidance", 7), "--guidance is about a model of yours"),
        (("--inpaint", "--side", 512), "--side is about a model of yours"),
        (("--inpaint", "--precision", "auto"), "--precision is about a model of yours"),
        (("--inpaint", "--offload", "none"), "--offload is about a model of yours"),
        (("--inpaint", "--model", "x"), "the licence of the model is not stated"),
        (("--inpaint", "--model", "x", "--license", "mit", "--prompt", "{colour}"), "{colour}, which nothing fills"),
        (("--inpaint", "--model", "x", "--license", "mit", "--side", 7), "--side-px"),
    ):
        ended = run("defects", plain, "--out", out, *arguments)
        assert ended.code == 2 and said in ended.err, ended.err
    assert run("defects", plain, "--out", plain / "out", "--inpaint").code == 2
    assert not out.exists()


def test_masks_of_the_users_are_checked_first_and_may_be_mended(run: Run, plain: Path, tmp_path: Path) -> None:
    """A bad mask ends the run before anything is written; masks of images not there may change, others may not."""
    masks, out = tmp_path / "masks", tmp_path / "out"
    masks.mkdir()
    panels_of = {i: _panel(plain, i) for i in (1, 2)}
    cv2.imwrite(str(masks / "000001.stain.0.9.png"), cv2.erode(panels_of[1], np.ones((9, 9))) * 255)
    cv2.imwrite(str(masks / "000002.oil.png"), np.full((20, 20), 255, np.uint8))
    command = ("defects", plain, "--inpaint", "--out", out, "--masks", masks, "--steps", 3, "--json")
    ended = run(*command)
    assert ended.code == 2 and not out.exists()
    assert (
        "000002.oil.png is 20x20, its image 200x150" in ended.err and "To be painted is what is not black" in ended.err
    )
    cv2.imwrite(str(masks / "000002.oil.png"), panels_of[2] * 255)
    ended = child(*command)
    assert ended.code == 0 and json.loads(ended.out)["made"] == 4, ended.err
    record_path(out, 2).unlink()
    cv2.imwrite(str(masks / "000002.oil.png"), cv2.erode(panels_of[2], np.ones((15, 15))) * 255)
    cv2.imwrite(str(masks / "000002.stain.png"), panels_of[2] * 255)
    ended = child(*command)
    told = json.loads(ended.out)
    assert ended.code == 0 and told["made"] == 1 and told["defects"]["stain"]["requested"] == 2, ended.err
    assert list(validate(out)) == []
    info = read_info(out)
    assert info.derived is not None and "000002.stain.png" in info.derived.plan["masks"]
    before = content(out)
    cv2.imwrite(str(masks / "000001.stain.0.9.png"), panels_of[1] * 255)
    ended = run(*command)
    assert ended.code == 1 and "differs in plan.masks.000001.stain.0.9.png" in ended.err and content(out) == before


def _panel(folder: Path, index: int) -> npt.NDArray[np.uint8]:
    """1 on the first panel of an image, else 0."""
    record = read_record(record_path(folder, index))
    ids = decode_ids((folder / record.ids).read_bytes(), *SIZE[::-1])
    return np.asarray(ids == record.instances[0].id, np.uint8)


def test_a_users_model_paints_what_it_is_told(run: Run, plain: Path, tiny: Tiny, tmp_path: Path) -> None:
    """A model of diffusers for inpainting: the same acceptance and labels, its unknown licence loud and stored."""
    model, out = tiny("sd15-inpaint"), tmp_path / "out"
    arguments = (
        "--model",
        model,
        "--license",
        "unknown",
        "--side",
        64,
        "--steps",
        4,
        "--threads",
        1,
        "--strength",
        "0.5",
    )
    ended = child("defects", plain, "--out", out, "--inpaint", "--rate", 1, "--kinds", "stain", *arguments)
    assert ended.code == 0, ended.err
    assert "NOTE, and it follows the images: the licence of the model is unknown" in ended.err
    info = read_info(out)
    assert info.derived is not None and info.derived.model is not None and info.derived.model.family == "sd15-inpaint"
    assert any("licence" in note for note in info.derived.notes)
    found = [d for r in iter_records(out) if isinstance(r.derived, Variant) for d in r.derived.defects]
    assert found and all(d.tries[0].tone is None for d in found) and any(d.changed_rle for d in found)
    for d in found:
        assert d.prompt == f"close-up photograph of a dried stain on {d.material.replace('_', ' ')}"
    assert {(t.executed, t.strength) for d in found for t in d.tries} == {(2, 0.5)}
    assert run("validate", out).code == 0
    assert (out / TWINS / "images").is_dir()
    again = run("defects", plain, "--out", out, "--inpaint", "--rate", 1, "--kinds", "stain", *arguments)
    assert again.code == 0 and "(0 new)" in again.out
