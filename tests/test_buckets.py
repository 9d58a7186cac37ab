"""Datasets in a bucket, through a server that speaks S3, and a network in between that fails.

The server is moto's, in a process of its own on a free port of the loopback interface.
"""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

import scenewright as sw
from scenewright.datasets import listing, objects
from scenewright.datasets.failures import Failure, drop_failures, failed, failures, write_failure
from scenewright.datasets.files import atomic_file, check_creates, create, exists, read_bytes, read_each, remove
from scenewright.datasets.listing import entries, names, numbered, walk
from scenewright.datasets.place import place
from scenewright.datasets.records import TWINS, indices, quarantined, record_path
from scenewright.errors import DatasetError
from scenewright.farm.generate import add_twins

from .commands import COUNT, Run, content
from .faulty_proxy import Fault, FaultyProxy, Plan, every_third
from .small_recipe import make

if TYPE_CHECKING:
    from upath import UPath

START_S = 120
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "any", "AWS_SECRET_ACCESS_KEY": "any", "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true", "NO_PROXY": "127.0.0.1",
}  # fmt: skip
NUMBERS = count()


def listens(port: int) -> bool:
    """Whether somebody answers there."""
    with socket.socket() as caller:
        return caller.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="session")
def moto() -> Iterator[int]:
    """The port of a server that speaks S3."""
    for package in ("moto.server", "s3fs"):
        pytest.importorskip(package, reason=f"{package} is an optional dependency", exc_type=ImportError)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + START_S
        while not listens(port):
            assert server.poll() is None and time.monotonic() < deadline, "the server does not start"
            time.sleep(0.05)
        yield port
    finally:
        server.kill()
        server.wait()


class Network:
    """A proxy in front of the server, whose plan a test may change while it runs."""

    def __init__(self, port: int) -> None:
        self.plan: Plan = lambda *_: None
        self.proxy = FaultyProxy(port, lambda *request: self.plan(*request))

    def fail(self, *faults: Fault, method: str = "PUT") -> None:
        """The next requests of a method go wrong in these ways, one each; those after them do not."""
        left = list(faults)
        self.plan = lambda _, asked, path: left.pop(0) if left and asked == method else None


@pytest.fixture
def network(moto: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[Network]:
    """Clients of this process and of its children reach the server through it."""
    from s3fs import S3FileSystem

    network = Network(moto)
    with network.proxy as proxy:
        for name, value in {**CREDENTIALS, "AWS_ENDPOINT_URL": proxy.url}.items():
            monkeypatch.setenv(name, value)
        S3FileSystem.clear_instance_cache()
        yield network
        S3FileSystem.clear_instance_cache()


@pytest.fixture
def bucket(network: Network) -> UPath:
    """A new bucket."""
    found = place(f"s3://bucket-{os.getpid()}-{next(NUMBERS)}")
    assert not isinstance(found, Path)
    objects.client(found).call_s3("create_bucket", Bucket=found.path.strip("/"))
    return found


def stored(folder: UPath) -> dict[str, str]:
    """What `commands.content` tells of a folder, of one in a bucket."""
    names = [e.name for e in walk(folder) if "workers" not in e.name.split("/")]
    return {n: hashlib.sha256(read_bytes(folder / n)).hexdigest() for n in names}


# One object -----------------------------------------------------------------------------------------------------------


def test_an_object_is_created_once(bucket: UPath) -> None:
    """What is there stays as it is, and whoever comes later with something else is told."""
    assert create(bucket / "a", b"first") and not create(bucket / "a", b"second") and create(bucket / "a", b"first")
    assert read_bytes(bucket / "a") == b"first"
    check_creates(bucket / "a")
    assert exists(bucket / "a") and not exists(bucket / "b")
    remove(bucket / "a")
    remove(bucket / "a")
    assert not exists(bucket / "a")
    with pytest.raises(DatasetError, match=r"s3://bucket-.*/a is missing"):
        read_bytes(bucket / "a")


FAULTS: list[tuple[Fault, ...]] = [
    ("refuse",), ("cut",), ("tear",), ("forget",), ("refuse", "cut", "refuse"), ("tear", "tear"), ("forget", "refuse"),
    ("tear", "forget"), ("tear", "cut"), ("cut", "tear"),
]  # fmt: skip


@pytest.mark.parametrize("faults", FAULTS)
def test_a_failing_network_loses_and_doubles_nothing(
    faults: tuple[Fault, ...], bucket: UPath, network: Network, caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Whatever happens to the write, the object is whole afterwards, its writer knows that it made it, and was told."""
    monkeypatch.setattr("scenewright.datasets.retry.WAITS_S", (0.0,) * 5)
    data = bytes(range(256)) * 40
    network.fail(*faults)
    with caplog.at_level(logging.WARNING, "scenewright"):
        assert create(bucket / "a", data)
    assert read_bytes(bucket / "a") == data
    if faults[0] in ("refuse", "tear"):  # what a kept connection has lost, aiohttp below all clients sends once more
        assert f"create {bucket / 'a'}" in caplog.text and "try 2 of 6 follows" in caplog.text


def test_a_lost_answer_is_no_excuse_for_anothers_object(bucket: UPath, network: Network) -> None:
    """Who tries again and finds something else there was not the first."""
    assert create(bucket / "a", b"theirs")
    network.fail("refuse")
    assert not create(bucket / "a", b"ours") and read_bytes(bucket / "a") == b"theirs"


def test_a_torn_object_of_ours_is_mended(bucket: UPath) -> None:
    """The beginning of our own bytes, which a dead worker left on a store that tears, is no record of anybody."""
    assert create(bucket / "a", b'{"index":')
    assert create(bucket / "a", b'{"index":0}\n') and read_bytes(bucket / "a") == b'{"index":0}\n'


@pytest.mark.parametrize(("fault", "said"), [("deny", "Access Denied"), ("refuse", "reduce your request rate")])
def test_a_store_that_refuses_is_named(
    fault: Fault, said: str, bucket: UPath, network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What does not pass is not tried for long: the error says which object, why, and what to look at."""
    monkeypatch.setattr("scenewright.datasets.retry.WAITS_S", (0.0,) * 5)
    network.fail(*[fault] * 10)
    with pytest.raises(DatasetError, match=rf"cannot write s3://bucket-.*/a: .*{said}.* credentials may write to it"):
        create(bucket / "a", b"x")
    assert network.proxy.requests["PUT"] == 1 + (1 if fault == "deny" else 6)  # the first made the bucket


def test_a_store_without_conditions_is_refused(bucket: UPath, network: Network) -> None:
    """Where a second create overwrites, two workers could lose an image: such a store is found out before any work."""
    assert create(bucket / "dataset.json", b"{}")
    network.plan = lambda *_: "unconditional"
    with pytest.raises(DatasetError, match=r"overwrites where it is asked to create \(S3's `If-None-Match: \*`"):
        check_creates(bucket / "dataset.json")
    assert read_bytes(bucket / "dataset.json") == b"{}"


def test_large_files_go_up_in_parts(
    bucket: UPath, network: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file larger than a part is there as a whole or not at all, and a part that fails is sent again alone."""
    monkeypatch.setattr(objects, "PART_BYTES", 5 << 20)
    monkeypatch.setattr("scenewright.datasets.retry.WAITS_S", (0.0,) * 5)
    data = os.urandom(12 << 20)
    network.fail(None, "cut", "refuse")
    with atomic_file(bucket / "big.json") as file:
        file.write(data)
        assert not exists(bucket / "big.json")
    assert network.proxy.requests["PUT"] == 1 + 3 + 2
    assert b"".join(objects.parts(bucket / "big.json")) == data
    objects.download(bucket / "big.json", tmp_path / "big.json", len(data))
    assert (tmp_path / "big.json").read_bytes() == data
    with pytest.raises(RuntimeError), atomic_file(bucket / "other.json") as file:
        file.write(data)
        raise RuntimeError
    assert not exists(bucket / "other.json")


def test_listings_split_where_they_are_long(bucket: UPath, network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    """More names than fit one answer are asked for by their first digits, side by side; none is lost or told twice."""
    monkeypatch.setattr(listing, "PAGE", 20)
    folder, wanted = bucket / "records", sorted({*range(45), *range(150_000, 150_060, 2), 1_000_000, 1_500_003})
    foreign = ("x.json", "000001.json.bak", "sub/000002.json", "00001.json")
    for name in (*(f"{number:06d}.json" for number in wanted), *foreign):
        objects.put(folder / name, b"")
    before = network.proxy.requests["GET"]
    assert numbered(folder, ".json") == wanted
    assert network.proxy.requests["GET"] - before < 120
    assert len(names(folder)) == len(list(entries(folder))) + 1 == len(wanted) + 4
    paths = [folder / f"{n:06d}.json" for n in wanted]
    assert [p for p, _ in read_each(paths)] == paths


# Whole datasets -------------------------------------------------------------------------------------------------------


def generate(recipe: Path, out: UPath) -> subprocess.Popen[str]:
    """A run of its own, as a user starts it."""
    command = [sys.executable, "-m", "scenewright", "generate", str(recipe), "--count", str(COUNT), "--out", str(out)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def test_a_run_through_a_failing_network_makes_the_same_dataset(
    recipe: Path, made: Path, bucket: UPath, network: Network, run: Run, tmp_path: Path
) -> None:
    """With every third request going wrong, in four ways, a bucket holds byte for byte what a folder holds.

    It validates, one of its images renders again, and fetched it is the folder.
    """
    out = bucket / "d"
    network.plan = every_third()
    ended = run("generate", recipe, "--count", COUNT, "--out", out)
    assert ended.code == 0, ended.err
    assert all(network.proxy.faults[fault] for fault in ("refuse", "cut", "tear", "forget"))
    assert stored(out) == content(made)
    assert run("validate", out).out == f"{out}: nothing wrong\n"
    assert run("rerender", out, 1, "--out", tmp_path / "again.png").code == 0
    assert run("fetch", out, tmp_path / "d").out == f"{tmp_path / 'd'}: {COUNT} images ({COUNT} copied)\n"
    assert content(tmp_path / "d") == content(made)


def test_two_runs_on_one_bucket_end_the_same(recipe: Path, made: Path, bucket: UPath) -> None:
    """Two runs that know nothing of each other make one dataset, whose every image has one record."""
    runs = [generate(recipe, bucket / "d") for _ in range(2)]
    for process in runs:
        assert process.communicate()[1] is not None and process.returncode == 0
    assert stored(bucket / "d") == content(made)


def test_a_killed_run_goes_on(recipe: Path, made: Path, bucket: UPath) -> None:
    """SIGKILL of everything in mid-run: the next run makes what is missing, and leaves what is finished alone."""
    out = bucket / "d"
    process = generate(recipe, out)
    while process.poll() is None and not indices(out):
        time.sleep(0.02)
    children = psutil.Process(process.pid).children() if process.poll() is None else []
    process.kill()
    process.communicate()
    psutil.wait_procs(children, timeout=20)
    finished = {e.name: e.modified_s for e in entries(out / "records")}
    result = sw.generate(sw.load(recipe), COUNT, str(out))
    assert result.complete and result.rendered == COUNT - len(finished)
    assert finished.items() <= {e.name: e.modified_s for e in entries(out / "records")}.items()
    assert stored(out) == content(made)


def test_everything_that_a_dataset_may_hold_fits_a_bucket(bucket: UPath, run: Run, tmp_path: Path) -> None:
    """Twins, maps and the annotations derived of them are in a bucket what they are in a folder, and are fetched."""
    recipe = make(outputs=["keypoints", "panoptic", "normals"], defects={"rate": 0.8, "twins": True})
    folder, out = tmp_path / "local", bucket / "d"
    sw.generate(recipe, 3, folder)
    assert sw.generate(recipe, 3, str(out)).complete
    assert stored(out) == content(folder) and indices(out / TWINS)
    assert run("validate", out).code == 0 and run("show", out, "--out", tmp_path / "sheet.png").code == 0
    assert run("fetch", out, tmp_path / "d").code == 0 and content(tmp_path / "d") == content(folder)
    twin = indices(out / TWINS)[0]
    remove(record_path(out / TWINS, twin))
    assert f"lacks those of 1 images that have defects ([{twin}]" in run("validate", out).out
    assert run("twins", out).code == 0 and stored(out) == content(folder)


def test_what_lies_aside_is_listed(bucket: UPath, network: Network) -> None:
    """Which images lie aside takes one request for a thousand files, and why they failed one more for each of those."""
    for index in range(0, 80, 2):
        put = Failure(index=index, status="failed", reasons=("a crash",), host="h", command="c", versions={})
        write_failure(bucket, put, None, b"log")
        objects.put(bucket / f"quarantine/{index + 1:06d}/record.json", b"{}")
    before = network.proxy.requests.copy()
    assert quarantined(bucket) == [*range(1, 80, 2)] and failed(bucket) == [*range(0, 80, 2)]
    assert network.proxy.requests - before == {"GET": 2}
    assert [*failures(bucket, range(10, 20))] == [10, 12, 14, 16, 18]
    assert network.proxy.requests - before == {"GET": 3 + 5}
    drop_failures(bucket, range(60))
    assert failed(bucket) == [*range(60, 80, 2)] and len(quarantined(bucket)) == 40


def test_twins_are_looked_for_many_at_once(bucket: UPath, monkeypatch: pytest.MonkeyPatch) -> None:
    """Records that say which images have defects are read side by side: a read waits here until another has begun."""
    out = bucket / "d"
    sw.generate(make(defects={"rate": 1, "twins": True}), 4, str(out))
    two, waits, read = threading.Barrier(2), count(), objects.read

    def waiting(path: UPath) -> bytes:
        if path.parent == out / "records" and next(waits) < 4:
            two.wait(timeout=20)
        return read(path)

    monkeypatch.setattr(objects, "read", waiting)
    assert add_twins(str(out)).complete and next(waits) >= 4


@pytest.fixture
def copied(made: Path, bucket: UPath) -> UPath:
    """The sound dataset in a bucket."""
    for path in content(made):
        create(bucket / "d" / path, (made / path).read_bytes())
    return bucket / "d"


def test_a_torn_record_is_named_and_made_again(
    recipe: Path, made: Path, copied: UPath, run: Run, tmp_path: Path
) -> None:
    """A record of which a store has kept a part is named by whoever reads it; deleted, its image is made again."""
    path = record_path(copied, 1)
    objects.put(path, read_bytes(path)[:200])
    for arguments in (("validate", copied), ("fetch", copied, tmp_path / "d")):
        ended = run(*arguments)
        assert ended.code == 1 and f"{path} is no record" in ended.out + ended.err
        assert "delete it and render again" in ended.out + ended.err
    remove(path)
    assert run("generate", recipe, "--count", COUNT, "--out", copied).code == 0
    assert stored(copied) == content(made)


def test_a_copy_is_checked_and_goes_on(made: Path, copied: UPath, run: Run, tmp_path: Path) -> None:
    """A picture that is not what its record says stops the copy, which goes on when it is mended."""
    objects.put(copied / "images/000001.png", read_bytes(copied / "images/000002.png"))
    ended = run("fetch", copied, tmp_path / "d")
    assert ended.code == 1 and f"image 1 of {copied} is damaged" in ended.err and "other pixels" in ended.err
    assert 1 not in indices(tmp_path / "d")
    objects.put(copied / "images/000001.png", (made / "images/000001.png").read_bytes())
    assert run("fetch", copied, tmp_path / "d").code == 0
    assert content(tmp_path / "d") == content(made)
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign/x").touch()
    ended = run("fetch", copied, tmp_path / "foreign")
    assert ended.code == 1 and "holds no dataset (x): choose another folder" in ended.err


def test_a_read_only_bucket_ends_the_run(recipe: Path, copied: UPath, network: Network, run: Run, made: Path) -> None:
    """Without the right to write, a run ends with 1 and a sentence; everything finished stays."""
    network.plan = lambda _, method, path: "deny" if method == "PUT" else None
    ended = run("generate", recipe, "--count", COUNT + 1, "--out", copied)
    assert ended.code == 1 and "error: cannot write s3://" in ended.err and "finished images are kept" in ended.err
    assert "Traceback" not in ended.err and stored(copied) == content(made)


def test_assets_travel_with_the_dataset(
    bucket: UPath, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shared_box: Path
) -> None:
    """A mesh of the user's is in the bucket under its hash, and workers fetch it from there into their cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    recipe = tmp_path / "mesh.yaml"
    recipe.write_text(
        f"name: t\nobjects: {{count: 1, assets: [{{category: a, path: {shared_box.name}}}]}}\n"
        "render: {engine: flat, size: [64, 48]}\n"
    )
    shutil.copy(shared_box, tmp_path)
    assert sw.generate(sw.load(recipe), 1, str(bucket / "d")).complete
    digest = hashlib.sha256(shared_box.read_bytes()).hexdigest()
    assert names(bucket / "d/assets") == [f"{digest}.ply"]
    assert [p.name for p in (tmp_path / "cache/scenewright/assets").iterdir()] == [f"{digest}.ply"]


@pytest.fixture
def shared_box(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A mesh file."""
    import trimesh

    path = tmp_path_factory.mktemp("mesh") / "box.ply"
    trimesh.creation.box((0.02, 0.03, 0.01)).export(path)
    return path
