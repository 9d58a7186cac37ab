"""Models from the hub, spoken to over its own protocol on loopback: pinned, downloaded once, and nothing but what is
needed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from .tiny_models import Tiny

pytest.importorskip("huggingface_hub", reason="diffusers is an optional dependency")

NAME, COMMIT = "acme/tiny", "0123456789abcdef0123456789abcdef01234567"
LOAD = """
import json, sys
from scenewright.diffusion.load import Request, load
from scenewright.diffusion.placing import Placing
from scenewright.errors import ScenewrightError
for model in sys.argv[1:]:
    try:
        card = load(Request(model, "openrail", placing=Placing("cpu"))).card
        print(json.dumps([card.model.id, card.model.revision]))
    except ScenewrightError as error:
        print(json.dumps(f"{type(error).__name__}: {error}"))
"""


class Hub:
    """A hub with one model; `asked` are the files that were downloaded from it."""

    def __init__(self, folder: Path) -> None:
        self.files = {p.relative_to(folder).as_posix(): p for p in folder.rglob("*") if p.is_file()}
        self.asked: list[str] = []
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                hub.answer(self, with_body=True)

            def do_HEAD(self) -> None:
                hub.answer(self, with_body=False)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def answer(self, to: BaseHTTPRequestHandler, with_body: bool) -> None:
        """The three calls that a client makes: references, the list of files, a file."""
        path = to.path.partition("?")[0]
        head: dict[str, str] = {}
        if path == f"/api/models/{NAME}/refs":
            tags = [{"name": "v1", "ref": "refs/tags/v1", "targetCommit": COMMIT}]
            branches = [{"name": "main", "ref": "refs/heads/main", "targetCommit": COMMIT}]
            data = json.dumps({"tags": tags, "branches": branches, "converts": []}).encode()
        elif path == f"/api/models/{NAME}/revision/{COMMIT}":
            listed = [{"rfilename": name} for name in self.files]
            data = json.dumps({"id": NAME, "modelId": NAME, "sha": COMMIT, "siblings": listed}).encode()
        elif path.startswith(f"/api/models/{NAME}/tree/{COMMIT}"):
            tree = [
                {"type": "file", "path": name, "size": p.stat().st_size, "oid": sha256(p.read_bytes()).hexdigest()[:40]}
                for name, p in self.files.items()
            ]
            data = json.dumps(tree).encode()
        elif (name := path.removeprefix(f"/{NAME}/resolve/{COMMIT}/")) in self.files:
            data = self.files[name].read_bytes()
            head = {"ETag": f'"{sha256(data).hexdigest()}"', "X-Repo-Commit": COMMIT}
            if with_body:
                self.asked.append(name)
        else:
            to.send_response(404)
            to.send_header("Content-Length", "0")
            to.end_headers()
            return
        to.send_response(200)
        for key, value in {**head, "Content-Length": str(len(data))}.items():
            to.send_header(key, value)
        to.end_headers()
        if with_body:
            to.wfile.write(data)


@pytest.fixture
def hub(tiny: Tiny, tmp_path: Path) -> Iterator[Hub]:
    folder = tmp_path / "published"
    for path in sorted(tiny("sd15").rglob("*")):
        if path.is_file():
            target = folder / path.relative_to(tiny("sd15"))
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    for stranger in ("unet/diffusion_pytorch_model.bin", "run_me.py", "samples.png", "unet/model.fp16.safetensors"):
        (folder / stranger).write_bytes(b"nothing that anybody asked for")
    published = Hub(folder)
    yield published
    published.server.shutdown()
    published.server.server_close()


def loaded(models: list[str], cache: Path, hub: Hub | None) -> list[Any]:
    """What a process of its own loads from that hub, or offline from its cache: id and commit, or the error."""
    env = {**os.environ, "HF_HOME": str(cache), "HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
    env |= {"HF_ENDPOINT": hub.address} if hub else {"HF_HUB_OFFLINE": "1"}
    done = subprocess.run([sys.executable, "-c", LOAD, *models], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_pinned_model_is_downloaded_once(hub: Hub, tmp_path: Path) -> None:
    """A tag becomes the commit it names; pickles, code and other weights stay there; then the cache is enough."""
    revisions = ("v1", "main", "v2", "f" * 40)
    found, *refused = loaded([f"{NAME}@{revision}" for revision in revisions], tmp_path / "cache", hub)
    assert found == [NAME, COMMIT]
    for error, message in zip(refused, ("is a branch, and moves", "has no tag 'v2'", "cannot be had"), strict=True):
        assert error.startswith("ModelError") and message in error
    needed = {"model_index.json", "unet/diffusion_pytorch_model.safetensors", "tokenizer/tokenizer.json"}
    assert needed <= set(hub.asked)
    assert not [name for name in hub.asked if name.endswith((".bin", ".py", ".png")) or "fp16" in name]
    assert loaded([f"{NAME}@{COMMIT}"], tmp_path / "cache", None) == [[NAME, COMMIT]]
