"""A supervised child process that answers requests, and the loop that runs inside it. Imports no bpy itself.

The two sides exchange JSON lines. Blender writes its progress to file descriptor 1, so the child moves its answers to a
descriptor of their own first and sends everything else to a log, whose tail explains a crash.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from ..errors import RenderError

__all__ = ["Worker", "ask", "serve"]

LOG_TAIL_LINES = 12
GRACE_S = 5.0
_PR_SET_PDEATHSIG = 1


class Worker:
    """The parent's side. `start` → `send` → wait until `fileno()` is readable → `receive`."""

    def __init__(self, module: str, setup: Mapping[str, Any]) -> None:
        """Start `python -m module` and hand it `setup` as its first line."""
        self._log = tempfile.TemporaryFile()  # noqa: SIM115  # lives as long as the worker
        self._process = subprocess.Popen(
            [sys.executable, "-m", module],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log,
            start_new_session=True,  # Ctrl-C is for the parent, which then stops its workers itself
        )  # fmt: skip
        self._partial = b""
        self.send({**setup, "parent": os.getpid()})

    @property
    def pid(self) -> int:
        """The child's process id."""
        return self._process.pid

    def fileno(self) -> int:
        """What becomes readable when an answer, or the end, is there."""
        assert self._process.stdout is not None
        return self._process.stdout.fileno()

    def send(self, request: Mapping[str, Any]) -> None:
        """Hand over a request; a child that has died is noticed by `receive`."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(orjson.dumps(request) + b"\n")
            self._process.stdin.flush()

    def receive(self) -> dict[str, Any] | None:
        """The next answer; blocks until there is one. None: the child has ended."""
        while b"\n" not in self._partial:
            data = os.read(self.fileno(), 1 << 16)
            if not data:
                return None
            self._partial += data
        line, _, self._partial = self._partial.partition(b"\n")
        answer: dict[str, Any] = orjson.loads(line)
        return answer

    def stop(self) -> None:
        """SIGTERM, and SIGKILL for a child that does not go."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(GRACE_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()
        self._log.close()

    def post_mortem(self) -> str:
        """How the child ended, and the last lines it wrote."""
        code = self._process.wait()
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        self._log.seek(0)
        lines = self._log.read().decode(errors="replace").strip().splitlines()[-LOG_TAIL_LINES:]
        return "\n  ".join([f"the render process {how}", *lines])


def serve(start: Callable[[dict[str, Any]], Callable[[dict[str, Any]], dict[str, Any]]]) -> None:
    """The child's loop: `start(setup)` gives the function that answers requests. Ends when the parent's pipe closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    setup = orjson.loads(sys.stdin.buffer.readline() or b"{}")
    _die_with(setup.get("parent"))
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)

    def tell(answer: Mapping[str, Any]) -> None:
        answers.write(orjson.dumps(answer) + b"\n")
        answers.flush()

    handle = start(setup)
    tell({"ready": True})
    for line in sys.stdin.buffer:
        tell(handle(orjson.loads(line)))


def ask(module: str, setup: Mapping[str, Any], request: Mapping[str, Any]) -> dict[str, Any]:
    """One request to a worker of its own; RenderError with the log's tail when it dies."""
    worker = Worker(module, setup)
    try:
        if worker.receive() is not None:
            worker.send(request)
            answer = worker.receive()
            if answer is not None:
                return answer
        raise RenderError(worker.post_mortem())
    finally:
        worker.stop()


def _die_with(parent: int | None) -> None:
    """On Linux the kernel ends this process when its parent dies, in whatever way; elsewhere the closed pipe does."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if parent is not None and os.getppid() != parent:
            sys.exit("the parent process has gone")
