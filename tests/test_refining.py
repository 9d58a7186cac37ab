"""Datasets refined through the real path: workers, real classes of diffusers, the gate, records, validation."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import psutil
import pytest

from scenewright.datasets.coco import coco_path
from scenewright.datasets.derived import Refinement
from scenewright.datasets.png import decode_rgb, encode_rgb, pixels_sha256
from scenewright.datasets.records import TWINS, Record, indices, iter_records, read_info, read_record, record_path
from scenewright.datasets.stored import read_image
from scenewright.datasets.validate import validate
from scenewright.diffusion.change_map import Freedom, outline_band
from scenewright.diffusion.jobs import Job, Refined
from scenewright.diffusion.load import Request
from scenewright.diffusion.placing import Placing
from scenewright.diffusion.plan import Plan, prompt
from scenewright.errors import DatasetError, ModelError, UsageError
from scenewright.farm import refining_worker, tries
from scenewright.farm.beats import heartbeats
from scenewright.farm.executors import Index
from scenewright.farm.generate import add_twins, generate
from scenewright.farm.refining import Options, refine
from scenewright.farm.rejudging import rejudge
from scenewright.farm.status import status
from scenewright.pipeline import rerender
from scenewright.scenes.recipe import Recipe

from .commands import Run, content
from .small_recipe import make

pytest.importorskip("diffusers", reason="diffusers is an optional dependency")
from .plain_model import MOVING, plain_model  # needs diffusers
from .tiny_models import Tiny

COUNT = 5
PLAN = Plan(steps=8, strength=0.25, batch=2, prompts=("photograph of {objects}", "{materials} on {ground}"))


def recipe(**more: Any) -> Recipe:
    box = {"category": "panel", "shape": "box", "params": {"x_m": 0.06, "y_m": 0.05, "z_m": 0.02},
           "materials": ["painted_metal", "plastic", "zinc"]}  # fmt: skip
    return make(
        objects={"count": 2, "assets": [box]}, placement={"area": [0.16, 0.12]},
        render={"engine": "flat", "size": [132, 100]}, **{"camera": {"distance": 0.35}, **more},
    )  # fmt: skip


def request(model: Path, **more: Any) -> Request:
    return Request(str(model), "openrail", "renders", placing=Placing("cpu", threads=1), **more)


@pytest.fixture(scope="module")
def soft(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return plain_model(tmp_path_factory.mktemp("soft") / "soft")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("source") / "renders"
    assert generate(recipe(), COUNT, folder).complete
    return folder


@pytest.fixture(scope="module")
def refined(source: Path, soft: Path) -> Path:
    """The dataset, refined in one go: to be read only."""
    folder = source.parent / "refined"
    before = content(source)
    result = refine(source, folder, request(soft), PLAN)
    assert result.complete and result.made == COUNT and content(source) == before
    return folder


def pixels(folder: Path, record: Record) -> npt.NDArray[np.uint8]:
    return decode_rgb((folder / record.image).read_bytes(), record.width, record.height)


def derived(record: Record) -> Refinement:
    assert isinstance(record.derived, Refinement)
    return record.derived


def test_a_refined_dataset_is_sound(refined: Path) -> None:
    """`validate` finds nothing wrong with it, and it says what it was made of and by."""
    assert list(validate(refined)) == []
    info = read_info(refined)
    assert info.derived is not None and info.derived.model is not None
    assert (info.derived.source.folder, info.derived.generation) == ("../renders", 1)
    assert info.derived.model.license == "openrail" and info.derived.model.model.sha256
    assert info.derived.outcomes == {"first_try": COUNT, "refined": COUNT} and 0.3 < (info.derived.free or 0) < 1


def test_status_of_a_refined_dataset(refined: Path) -> None:
    """Images, not the shares that workers get, are counted, on the device that the model has; so cost is known."""
    found = status(refined, price=1.0)
    assert (found.kind, found.requested, found.done, found.complete) == ("refined", COUNT, COUNT, True)
    (beat,) = (seen.beat for seen in heartbeats(refined))
    assert beat.counts == {"ok": COUNT} and beat.times.count == COUNT and beat.starts == 1
    assert beat.device == "cpu" and beat.settings.startswith("refined ") and found.cost.images == COUNT


def test_labels_stay_and_pictures_do_not(source: Path, refined: Path) -> None:
    """Ids, depth and labels are the render's, byte for byte; the picture is not, but for a band along outlines."""
    for record in iter_records(refined):
        before = read_record(record_path(source, record.index))
        assert record.model_copy(update={"derived": None, "hashes": before.hashes}) == before
        for path in (record.ids, record.depth):
            assert (refined / path).read_bytes() == (source / path).read_bytes()
        assert derived(record).origin.labels == record.hashes.labels == before.hashes.labels
        changed = (pixels(source, before) != pixels(refined, record)).any(axis=2)
        image = read_image(source, before, read_info(source))
        assert changed.any() and not changed[outline_band(image.ids, 3)].any()
    known, ours = (json.loads(coco_path(f, "train").read_text()) for f in (source, refined))
    assert known["annotations"] == ours["annotations"] and known["categories"] == ours["categories"]
    assert ours["info"]["derived"]["model"]["license"] == "openrail"
    assert {i["generation"]["derived"]["status"] for i in ours["images"]} == {"refined"}


def test_prompts_are_drawn_for_each_image(source: Path, refined: Path) -> None:
    """Each image draws one of the prompts, filled from its scene, and other noise."""
    found = {r.index: derived(r) for r in iter_records(refined)}
    assert {d.prompt.split()[0] for d in found.values()} >= {"photograph"} and len(
        {d.seed for d in found.values()}
    ) == COUNT
    scene = read_record(record_path(source, 0)).scene
    assert prompt("{objects}; {materials}; {ground}", scene).startswith("panel; ")
    assert {found[0].prompt} <= {prompt(text, scene) for text in PLAN.prompts}


def test_an_image_is_the_same_alone(source: Path, soft: Path, refined: Path, tmp_path: Path) -> None:
    """Picture and record of the first image do not depend on whether others are made; more may be asked for later."""
    result = refine(source, tmp_path / "out", request(soft), PLAN, Options(count=1))
    assert result.made == 1 and indices(tmp_path / "out") == [0]
    for path in ("images/000000.png", "records/000000.json"):
        assert (tmp_path / "out" / path).read_bytes() == (refined / path).read_bytes()
    assert list(validate(tmp_path / "out"))[1:] == []  # the source lies elsewhere, seen from there


def test_images_may_be_prepared_elsewhere(source: Path) -> None:
    """In a process that ends with its worker, beside a GPU, a case is what it is here."""
    info = read_info(source)
    with ProcessPoolExecutor(1, get_context("spawn"), refining_worker._settle, (os.getpid(),)) as pool:
        there = pool.submit(refining_worker.prepare, source, 0, info, PLAN).result()
    here = refining_worker.prepare(source, 0, info, PLAN)
    assert pickle.dumps(there.reference) == pickle.dumps(here.reference) and there.record == here.record
    assert (there.job.level == here.job.level).all() and there.job.seed == here.job.seed


def test_a_killed_run_goes_on(source: Path, soft: Path, refined: Path, tmp_path: Path) -> None:
    """Killed in the middle, its workers die too; the same command makes what is missing, and all bytes are the same."""
    out = source.parent / "killed"
    command = [
        sys.executable, "-m", "scenewright", "refine", source, "--model", soft, "--out", out, "--license", "openrail",
        "--training-data", "renders", "--steps", "8", "--strength", "0.25", "--batch", "2", "--threads", "1",
        "--device", "cpu", *(x for text in PLAN.prompts for x in ("--prompt", text)),
    ]  # fmt: skip
    run = subprocess.Popen([*map(str, command)], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    workers: list[psutil.Process] = []
    while not indices(out) if out.is_dir() else True:
        assert run.poll() is None
        workers = psutil.Process(run.pid).children(recursive=True) or workers
        time.sleep(0.005)
    os.kill(run.pid, signal.SIGKILL)
    run.wait()
    psutil.wait_procs(workers, timeout=20)
    assert workers and not any(w.is_running() and w.status() != psutil.STATUS_ZOMBIE for w in workers)
    there = {i: record_path(out, i).stat().st_mtime_ns for i in indices(out)}
    assert 0 < len(there) < COUNT
    done = subprocess.run([*map(str, command), "--workers", "2", "--json"], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["made"] == COUNT - len(there)
    assert {i: record_path(out, i).stat().st_mtime_ns for i in there} == there
    assert content(out) == content(refined)


def test_a_model_that_moves_things_is_caught(run: Run, source: Path, tmp_path: Path) -> None:
    """Objects whose outlines moved get the render back, byte for byte; the end says so loudly and names the licence."""
    model, out = plain_model(tmp_path / "moving", MOVING), source.parent / "moved"
    (tmp_path / "prompts.txt").write_text("# two\n\na photograph\na picture of {objects}\n")
    ended = run(
        "refine", source, "--model", model, "--out", out, "--license", "unknown", "--strength", "0.5", "--steps", 8,
        "--band-px", 0, "--objects", 1, "--prompt-file", tmp_path / "prompts.txt", "--threads", 1,
    )  # fmt: skip
    assert ended.code == 0 and f"{COUNT} images" in ended.out
    assert "MOST IMAGES DID NOT KEEP THEIR LABELS" in ended.err and "licence of the model is unknown" in ended.err
    assert [*validate(out), *rejudge(out)] == []
    for record in iter_records(out):
        assert derived(record).prompt in ("a photograph", "a picture of panel")
        *refused, last = derived(record).tries
        assert [t.strength for t in refused] == [0.5, 0.35, 0.25] and derived(record).status == "pasted"
        assert all(t.verdict is not None and "moved" in t.verdict.instances[0].faults for t in refused[:1])
        before = read_record(record_path(source, record.index))
        pasted = np.isin(read_image(out, record, read_info(out)).ids, last.pasted)
        changed = (pixels(source, before) != pixels(out, record)).any(axis=2)
        assert last.pasted and changed.any() and not changed[pasted].any()
    noted = read_info(out).derived
    assert noted is not None and any("licence" in note for note in noted.notes)


def test_pairs_stay_pairs(soft: Path, tmp_path: Path) -> None:
    """The twin is refined and the image takes its picture, but for where the two renders differ."""
    marred, out = tmp_path / "marred", tmp_path / "out"
    stereo = {"distance": 0.35, "stereo": {"baseline_m": 0.02}}
    assert generate(recipe(defects={"rate": 0.6, "count": 1, "twins": True}, camera=stereo), 4, marred).complete
    assert refine(marred, out, request(soft), PLAN).complete and [*validate(out), *rejudge(out)] == []
    noted = read_info(out).derived
    assert noted is not None and any("frames and views of a group" in note for note in noted.notes)
    assert indices(out / TWINS) == indices(marred / TWINS) != []
    for twin in iter_records(out / TWINS):
        image = read_record(record_path(out, twin.index))
        renders = [pixels(f, image).astype(int) for f in (marred, marred / TWINS)]
        differ = np.abs(renders[0] - renders[1]).max(axis=2) > 2
        pair = [pixels(f, image) for f in (out, out / TWINS)]
        assert differ.any() and (pair[0] == renders[0])[differ].all() and (pair[1] == renders[1])[differ].all()
        held = (pair[0] != pair[1]).any(axis=2)
        assert (pair[1] != renders[1]).any() and (pair[0] == renders[0])[held].all()
        assert derived(image).origin.twin and derived(image).tries == derived(twin).tries
        assert derived(image).held == tuple(d.id for d in image.defects if d.rle or d.absent_rle)


def test_control_pictures_come_from_the_dataset(run: Run, tiny: Tiny, source: Path, tmp_path: Path) -> None:
    """ControlNets are shown depth and edges, the card names them, and a knob that a family lacks names others."""
    out = source.parent / "controlled"
    nets = [f"{kind}={tiny('controlnet')}" for kind in ("depth", "edges")]
    ended = run("refine", source, "--model", tiny("sd15"), "--out", out, "--license", "mit", "--controlnet", nets[0],
                "--controlnet", nets[1], "--count", 1, "--steps", 4, "--strength", 0.5, "--json")  # fmt: skip
    assert ended.code == 0 and json.loads(ended.out)["images"] == 1
    said = read_info(out).derived
    assert said is not None and said.model is not None and len(said.model.controlnets) == 2
    assert "MOST IMAGES DID NOT KEEP THEIR LABELS" in ended.err  # its weights are random
    assert derived(read_record(record_path(out, 0))).controls == ("depth", "edges")
    assert said.plan["controls"] == ["depth", "edges"] and list(validate(out)) == []
    ended = run("refine", source, "--model", tiny("flux1-fill"), "--out", tmp_path / "f", "--license", "mit",
                "--negative-prompt", "blur")  # fmt: skip
    assert ended.code == 2 and "negative_prompt" in ended.err and "sdxl" in ended.err and not indices(tmp_path / "f")


def test_what_was_begun_otherwise_is_left_alone(
    run: Run, source: Path, refined: Path, soft: Path, tmp_path: Path
) -> None:
    """Another plan, model or source does not go on in the same folder, and a refined dataset is nobody else's."""
    out = Path(shutil.copytree(refined, source.parent / "begun"))
    for path in (record_path(out, 4), out / "images/000004.png"):
        path.unlink()
    with pytest.raises(DatasetError, match=r"made otherwise \(it differs in plan.seed\)"):
        refine(source, out, request(soft), PLAN.model_copy(update={"seed": 1}))
    other = plain_model(tmp_path / "soft", MOVING)
    with pytest.raises(DatasetError, match=r"begun with another model.*sha256"):
        refine(source, out, request(other), PLAN)
    with pytest.raises(DatasetError, match="no renders: choose another --out"):
        generate(recipe(), COUNT, out)
    with pytest.raises(DatasetError, match="holds renders: choose another"):
        refine(source, Path(shutil.copytree(source, source.parent / "copy")), request(soft), PLAN)
    with pytest.raises(DatasetError, match="no renders: add the twins to"):
        add_twins(out)
    with pytest.raises(DatasetError, match="no render but refined"):
        rerender(refined, 0, lambda *_: pytest.fail("nothing is to be rendered"))
    assert indices(out) == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--license", " "], "licence of the model is not stated"),
        (["--license", "mit", "--controlnet", "canny=x"], "KIND is depth, normals, edges, segments or picture"),
        (["--license", "mit", "--strength", "2"], "--strength"),
        (["--license", "mit", "--precision", "float8"], "--precision"),
        (["--license", "mit", "--prompt", "a {thing}"], "asks for ['thing']"),
        (["--license", "mit", "--prompt", "a {thing"], "not complete"),
        (["--license", "mit", "--ip-adapter", "x"], "give both --ip-adapter and --ip-image"),
        (["--license", "mit", "--prompt-file", "/nowhere"], "cannot be read"),
    ],
)
def test_what_cannot_be_meant(run: Run, source: Path, tmp_path: Path, options: list[str], message: str) -> None:
    """A usage error says what is wrong before anything is loaded or written."""
    ended = run("refine", source, "--model", tmp_path, "--out", tmp_path / "out", *options)
    assert ended.code == 2 and message in ended.err
    assert not (tmp_path / "out").exists()


def test_sources_that_cannot_be_refined(source: Path, refined: Path, soft: Path, tmp_path: Path) -> None:
    """What is refined already, an empty folder, and a folder inside the source."""
    with pytest.raises(UsageError, match=r"no renders any more .*refine the dataset that it was made of, \.\./renders"):
        refine(refined, tmp_path / "out", request(soft), PLAN)
    with pytest.raises(UsageError, match="lie in each other"):
        refine(source, source / "refined", request(soft), PLAN)
    with pytest.raises(DatasetError, match="is no dataset"):
        refine(tmp_path, tmp_path / "out", request(soft), PLAN)


def test_the_same_command_goes_on_with_several_workers(source: Path, soft: Path, tmp_path: Path) -> None:
    """Threads are the share of the cores for as many workers as were asked for, however little is left to do."""
    wish = replace(request(soft), placing=Placing("cpu"))
    out, options = tmp_path / "out", Options(workers=2, count=3)
    assert refine(source, out, wish, PLAN, options).complete
    before = content(out)
    record_path(out, 1).unlink()
    assert refine(source, out, wish, PLAN, options).made == 1 and content(out) == before


def test_shares_make_one_dataset(source: Path, soft: Path, refined: Path) -> None:
    """Each share refines its own images, with the model that the first has noted; the last writes annotations."""
    out = source.parent / "shares"  # beside the other one: a dataset says where its source is
    first = refine(source, out, request(soft), PLAN, executor=Index(1, 2))
    assert first.complete and indices(out) == [i for i in indices(source) if i % 2]
    assert (out / "model.json").is_file() and not (out / "annotations").exists()
    with pytest.raises(DatasetError, match="begun with another model"):
        refine(source, out, replace(request(soft), license="mit"), PLAN, executor=Index(0, 2))
    assert refine(source, out, request(soft), PLAN, executor=Index(0, 2)).complete
    assert content(out) == content(refined)


def test_another_configuration_is_another_model(source: Path, soft: Path, tmp_path: Path) -> None:
    """Not only weights decide what a model makes: a changed scale of its latents does not go on either."""
    model, out = Path(shutil.copytree(soft, tmp_path / "soft")), tmp_path / "out"
    assert refine(source, out, request(model), PLAN, Options(count=1)).complete
    path = model / "vae/config.json"
    path.write_text(path.read_text().replace('"scaling_factor": 1.0', '"scaling_factor": 0.5'))
    with pytest.raises(DatasetError, match="another model"):
        refine(source, out, request(model), PLAN, Options(count=2))


def test_a_model_that_fails_on_an_image_goes_on() -> None:
    """The other images of the batch are made; a model that never worked ends the run."""

    def refine_all(jobs: Sequence[Job]) -> list[Refined]:
        if any(job.index == 1 for job in jobs):
            raise ModelError("no numbers")
        return [Refined(job.image, 1, True) for job in jobs]

    blank = np.zeros((64, 64, 3), np.uint8)
    jobs = [Job(k, blank, np.ones((64, 64), np.float32), "") for k in range(3)]
    careful = refining_worker.Careful(refine_all)
    made = careful(jobs)
    assert [isinstance(one, Refined) for one in made] == [True, False, True] and isinstance(made[1], ModelError)
    assert [isinstance(one, ModelError) for one in careful(jobs[1:2])] == [True]
    with pytest.raises(ModelError, match="no numbers"):
        refining_worker.Careful(refine_all)(jobs[1:2])


def test_a_damaged_image_stops_no_other(source: Path, soft: Path, tmp_path: Path) -> None:
    """It is told with the file that is wrong, the others are made, and the result is not complete."""
    broken = Path(shutil.copytree(source, tmp_path / "broken"))
    shutil.copy(broken / "images/000001.png", broken / "images/000002.png")
    shutil.copy(broken / "depth/000001.png", broken / "depth/000003.png")
    result = refine(broken, tmp_path / "out", request(soft), PLAN)
    assert [*result.failed] == [2, 3] and "images/000002.png holds other pixels" in result.failed[2]
    assert (
        "depth/000003.png holds other pixels" in result.failed[3] and result.made == COUNT - 2 and not result.complete
    )


KILLER = """
import os
import numpy
import scenewright.diffusion.gate as gate
real, deadly = gate.reference, numpy.load(os.environ["DEADLY"])
def reference(picture, ids, rules=None):
    if numpy.array_equal(picture, deadly):
        os._exit(9)
    return real(picture, ids, rules)
gate.reference = reference
"""


def test_an_image_that_kills_its_worker_costs_itself_alone(
    source: Path, soft: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others of its share are made, one by one at last, and it is told with what became of the worker."""
    (tmp_path / "sitecustomize.py").write_text(KILLER)
    np.save(tmp_path / "deadly.npy", pixels(source, read_record(record_path(source, 1))))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("DEADLY", str(tmp_path / "deadly.npy"))
    monkeypatch.setattr(tries, "MAX_FAILURES", 1)
    result = refine(source, tmp_path / "out", request(soft), PLAN, Options(count=3))
    assert [*result.failed] == [1] and "exit code 9" in result.failed[1]
    assert indices(tmp_path / "out") == [0, 2] and result.made == 2


def tampered(record: Record, how: str) -> Record:
    """A record that says something that cannot be."""
    it = derived(record)
    verdict = it.tries[0].verdict
    assert verdict is not None
    changes: dict[str, Any] = {
        "status": {"status": "fallback"},
        "model": {"model": "0" * 64},
        "generation": {"generation": 2},
        "labels": {"origin": it.origin.model_copy(update={"labels": "0" * 64})},
        "picture": {"origin": it.origin.model_copy(update={"rgb": "0" * 64})},
        "frozen": {"frozen": (99,)},
        "no tries": {"tries": ()},
        "faults": {"tries": (replace(it.tries[0], verdict=replace(verdict, faults=("empty",))),)},
        "pasted": {"tries": (replace(it.tries[0], status="pasted"),)},
        "render": {},
    }
    changed = None if how == "render" else it.model_copy(update=changes[how])
    return record.model_copy(update={"derived": changed})


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("status", "which the verdicts on its tries contradict"), ("model", "made by another model"),
        ("generation", "in generation 2"), ("labels", "other labels than its render"),
        ("picture", "made of another image than"), ("frozen", "froze [99]"), ("no tries", "nothing of what was tried"),
        ("faults", "accepted with faults"), ("pasted", "its last try 'pasted'"), ("render", "is a render, dataset"),
    ],
)  # fmt: skip
def test_validate_notices(refined: Path, how: str, message: str) -> None:
    """Each way in which a record can contradict itself, its dataset or its source is found."""
    path = record_path(refined, 1)
    kept = path.read_bytes()
    try:
        path.write_text(tampered(read_record(path), how).model_dump_json() + "\n")
        found = [f.message for f in validate(refined)]
    finally:
        path.write_bytes(kept)
    assert any(message in said for said in found), found


def test_the_gate_measures_anew(run: Run, refined: Path, source: Path) -> None:
    """A refined picture that was exchanged, with a hash that fits, is found by its pixels; and so is another seed."""
    ended = run("validate", refined, "--gate")
    assert (ended.code, ended.out) == (0, f"{refined}: nothing wrong\n")
    out = Path(shutil.copytree(refined, source.parent / "exchanged"))
    record = read_record(record_path(out, 1))
    moved = np.roll(pixels(out, record), 6, axis=1)
    (out / record.image).write_bytes(encode_rgb(moved))
    hashes = record.hashes.model_copy(update={"rgb": pixels_sha256(moved)})
    record_path(out, 1).write_text(record.model_copy(update={"hashes": hashes}).model_dump_json() + "\n")
    other = read_record(record_path(out, 2))
    forged = derived(other).model_copy(update={"seed": 5})
    record_path(out, 2).write_text(other.model_copy(update={"derived": forged}).model_dump_json() + "\n")
    found = [f"{f.path}: {f.message}" for f in rejudge(out)]
    assert len(found) == 3 and all(("000001" in f) != ("000002" in f) for f in found)
    assert "changed where nothing may" in found[0] and "does not keep its labels" in found[1]
    assert "another prompt, seed" in found[2]
    with pytest.raises(UsageError, match="was not refined"):
        list(rejudge(source))


def test_freedom_is_a_plan(source: Path) -> None:
    """A plan survives its JSON, change map and rules included, since a continued run compares it."""
    plan = PLAN.model_copy(update={"freedom": Freedom(objects=0.2, band_px=5)})
    assert Plan.model_validate_json(plan.model_dump_json()) == plan
