"""Files of strangers: what would run, reach out or grow without bound is refused or harmless, and says so."""

from __future__ import annotations

import ctypes
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from scenewright.assets.ingested import Source, read_ingested
from scenewright.assets.mesh_files import load_mesh
from scenewright.errors import AssetError
from scenewright.render.ingester import ingest

from .test_mesh_sources import hollow_png

pytestmark = [pytest.mark.render, pytest.mark.usefixtures("fresh_cache")]


def test_scripts_of_a_blend_never_run(blends: Path) -> None:
    """A .blend whose start-up text, handler and drivers would write a file is read, and the file is not written."""
    found = read_ingested(ingest(Source(blends / "scripted.blend")).mesh)
    assert found.own == {"bait"}
    assert not (blends / "touched").exists()


def test_scripts_of_a_library_never_run(blends: Path) -> None:
    """A library with a driver, as a stranger may hand it on with a dataset, is rendered without running it."""
    code = (
        "import sys, bpy\nfrom pathlib import Path\n"
        "from scenewright.render import ingest_library\n"
        "bpy.ops.wm.read_factory_settings(use_empty=True)\n"
        "ingest_library._equal = lambda *_: True\n"
        f"data = ingest_library.append(Path({str(blends / 'scripted_library.blend')!r}), None)\n"
        "item = bpy.data.objects.new('x', data)\nbpy.context.scene.collection.objects.link(item)\n"
        "bpy.context.view_layer.update()\n"
        "assert data.materials[0].node_tree.animation_data is None\nprint('read')\n"
    )
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "read" in child.stdout, child.stderr
    assert not (blends / "touched").exists()


@pytest.mark.parametrize(
    ("name", "said"), [("picture", "skin.png"), ("profile", "the node 'IES Texture'"), ("linked", "other.blend")]
)
def test_libraries_that_look_at_other_files(blends: Path, name: str, said: str) -> None:
    """A library in a stranger's dataset whose picture, light profile or material lies elsewhere is not rendered."""
    code = (
        "import bpy\nfrom pathlib import Path\nfrom scenewright.render import ingest_library\n"
        "bpy.ops.wm.read_factory_settings(use_empty=True)\ningest_library._equal = lambda *_: True\n"
        f"ingest_library.append(Path({str(blends / f'{name}_library.blend')!r}), None)\n"
    )
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    last = child.stderr.strip().splitlines()[-1]
    assert "AssetError" in last and f"{name}_library.blend reads more than itself" in last and said in last


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("array.blend", r"the modifier 'much' of 'array' makes about 6,000,000,000 faces, more than 2,000,000"),
        ("subdivided.blend", r"'much' of 'subdivided' subdivides 11 times, more than 6: lower it"),
        ("instances.blend", r"makes more than 10,000 instances: realise or thin them out"),
        ("far.blend", r"names \".*etc/passwd\" outside its own folder"),
        ("profile.blend", r"the node 'IES Texture' of .* reads a file: store it in the node"),
        ("linked.blend", r"links other files \(.*part.blend\): make their data local"),
    ],
)
def test_blends_that_grow_or_reach_out(blends: Path, name: str, said: str) -> None:
    """Modifiers and instances without measure, pictures and libraries elsewhere are refused before they are used."""
    with pytest.raises(AssetError, match=said):
        ingest(Source(blends / name))


def test_a_picture_that_would_unfold_in_a_blend(blends: Path, tmp_path: Path) -> None:
    """A texture whose header says 60,000 × 60,000 pixels is refused by its header, beside a .blend and in an OBJ."""
    for name in ("part.blend", "part.obj", "part.mtl"):
        (tmp_path / name).write_bytes((blends / name).read_bytes())
    (tmp_path / "skin.png").write_bytes(hollow_png(60_000, 60_000))
    (tmp_path / "textures").mkdir()
    (tmp_path / "textures" / "skin.png").write_bytes(hollow_png(60_000, 60_000))
    for name in ("part.blend", "part.obj"):
        with pytest.raises(AssetError, match="60,000 × 60,000 pixels"):
            ingest(Source(tmp_path / name))


USDA = {
    'def "a" (references = @../../secret.usda@) {}': "outside its own folder",
    'def "a" (references = @/etc/passwd@) {}': "outside its own folder",
    'def "a" (payload = @https://a.b/c.usd@) {}': "outside its own folder",
    'def Shader "s" {\nasset inputs:file = @../../../etc/passwd@\n}': "outside its own folder",
    'def "a" (references = @./not_there.usda@) {}': "which is not there",
}


@pytest.mark.parametrize("body", USDA)
def test_usd_that_reaches_out(tmp_path: Path, body: str) -> None:
    """References, payloads and textures outside the file's folder are refused before anything is composed."""
    (tmp_path / "sub").mkdir()
    path = tmp_path / "sub" / "x.usda"
    path.write_text(f"#usda 1.0\n{body}\n")
    with pytest.raises(AssetError, match=USDA[body]):
        ingest(Source(path))


def test_usd_that_reaches_out_through_another_layer(tmp_path: Path) -> None:
    """What a referenced layer names is looked at as well."""
    (tmp_path / "x.usda").write_text('#usda 1.0\ndef "a" (references = @./y.usda@) {}\n')
    (tmp_path / "y.usda").write_text('#usda 1.0\ndef "a" (references = @../../z.usda@) {}\n')
    with pytest.raises(AssetError, match=r'y.usda names "../../z.usda" outside the folder of x.usda'):
        ingest(Source(tmp_path / "x.usda"))


def bomb(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as package:
        package.writestr("x.usda", "#usda 1.0\n" + " " * 50_000_000)


def climbing(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as package:
        package.writestr("../x.usda", "#usda 1.0\n")


def reaching(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as package:
        package.writestr("x.usda", '#usda 1.0\ndef "a" (references = @/etc/passwd@) {}\n')


def unfolding(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as package:
        package.writestr("x.usda", "#usda 1.0\n")
        package.writestr("t.png", hollow_png(60_000, 60_000))


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (bomb, r"holds 'x.usda' compressed \([0-9,]+ bytes that unfold to 50,000,010\), which a USDZ may not"),
        (climbing, "outside the package"),
        (reaching, "which the package does not hold"),
        (unfolding, "60,000 × 60,000 pixels"),
        (lambda path: path.write_bytes(b"PK\3\4 no zip"), "no readable USDZ file"),
    ],
)
def test_packages(tmp_path: Path, make: Callable[[Path], None], said: str) -> None:
    """A USDZ that unfolds, climbs out, names what it does not hold or is none is refused unopened."""
    make(tmp_path / "x.usdz")
    with pytest.raises(AssetError, match=said):
        ingest(Source(tmp_path / "x.usdz"))


@pytest.mark.parametrize("suffix", [".blend", ".fbx", ".glb", ".usdc", ".usda", ".gltf"])
def test_files_cut_off(blends: Path, tmp_path: Path, suffix: str) -> None:
    """Half of a file is an error that names it, whatever its importer does with it."""
    whole = (blends / f"part{suffix}").read_bytes()
    (tmp_path / f"part{suffix}").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(AssetError, match=rf"part\{suffix}"):
        ingest(Source(tmp_path / f"part{suffix}"))


def test_an_stl_that_claims_two_thousand_million_triangles(tmp_path: Path) -> None:
    """What an STL announces is compared with what it has before anything is allocated."""
    (tmp_path / "x.stl").write_bytes(bytes(80) + struct.pack("<I", 2**31) + bytes(50))
    with pytest.raises(AssetError, match="would hold the 2,147,483,648 triangles that it announces, it has 134"):
        load_mesh(tmp_path / "x.stl")


def test_limits_of_memory_and_time(blends: Path) -> None:
    """A process that needs more than it may ends, and the message says what it could have had."""
    with pytest.raises(AssetError, match=r"part.fbx cannot be read in 1 MB and 60 s"):
        ingest(Source(blends / "part.fbx"), memory_bytes=1 << 20, timeout_s=60)


def test_the_walls(tmp_path: Path) -> None:
    """A confined process reads, writes and cuts off where it may and nowhere else; its threads neither. What it leaves
    for others are plain files, and it reaches no process and no address."""
    for name in ("in", "out", "elsewhere"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x").write_text("x")
    code = (
        "import os, socket, sys, threading\nfrom pathlib import Path\n"
        "from scenewright.render.sandbox import confine\n"
        f"base = Path({str(tmp_path)!r})\n"
        "if not confine([base / 'in'], [base / 'out']):\n    print('cannot'); sys.exit()\n"
        "def tell():\n"
        "    for name, mode in (('in', 'r'), ('in', 'w'), ('out', 'w'), ('elsewhere', 'r'), ('elsewhere', 'w')):\n"
        "        try:\n            (base / name / 'x').open(mode).close(); print(name, mode)\n"
        "        except PermissionError: pass\n"
        "    for what, *arguments in (\n"
        "        (Path.read_text, Path('/etc/passwd')), (os.listdir, '/etc'), (os.listdir, '/dev/shm'),\n"
        "        (os.truncate, base / 'elsewhere' / 'x', 0), (os.truncate, base / 'in' / 'x', 0),\n"
        "        (os.symlink, '/etc/passwd', base / 'out' / 'link'), (os.mkfifo, base / 'out' / 'pipe'),\n"
        "        (os.kill, os.getppid(), 0), (socket.create_server, ('127.0.0.1', 0)),\n"
        "        (open, f'/proc/{os.getppid()}/environ', 'rb'),\n"
        "    ):\n"
        "        try:\n            what(*arguments); print(what.__name__, *arguments)\n"
        "        except PermissionError: pass\n"
        "    (base / 'out' / 'y').write_text('yyy'); os.truncate(base / 'out' / 'y', 1)\n"
        "    Path(os.devnull).write_text('')\n"
        "t = threading.Thread(target=tell); t.start(); t.join()\n"
    )
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    if child.stdout.strip() == "cannot":
        pytest.skip("this kernel has no Landlock")
    newer = ["truncate"] * 2 + ["create_server", "kill"] if landlock() < 6 else []
    told = [line for line in child.stdout.split("\n")[:-1] if line.split()[0] not in newer]
    assert (told, child.stderr) == (["in r", "out w"], "")
    assert (tmp_path / "out" / "y").read_text() == "y"


def landlock() -> int:
    """The version of Landlock that the kernel has."""
    libc = ctypes.CDLL(None)
    return int(libc.syscall(444, None, ctypes.c_size_t(0), ctypes.c_uint32(1)))
