"""A supervised child process that answers requests, and the loop that runs inside it. Imports no bpy itself.

The two sides exchange JSON lines. Blender writes its progress to file descriptor 1, so the child moves its answers to a
descriptor of their own first and sends everything else to a log, whose tail explains a crash.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import selectors
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson
import psutil

from ..errors import RenderError, ScenewrightError
from .machine import narrowed, widen
from .scratch import Scratch

__all__ = ["START_S", "TIMEOUT_S", "Handler", "Worker", "ask", "die_with", "expect", "serve"]

#: Answers a request, or gives one answer after another: all but the last say {"partial": True}.
Handler = Callable[[dict[str, Any]], dict[str, Any] | Iterator[dict[str, Any]]]

#: A worker that starts has this long at least: the first import of bpy from a cold network disk takes minutes.
START_S = 300.0
TIMEOUT_S = 1800.0

LOG_TAIL_LINES = 12
LOG_TAIL_BYTES = 1 << 16
IDLE_GRACE_S = 2.0
GRACE_S = 5.0
#: OpenColorIO keeps every colour transform that it has built, 3.8 MB for each new exposure, and an exposure serves one
#: image only. It reads this when bpy is imported; a transform that is built anew gives the same pixels.
COLOR_CACHE_OFF = {"OCIO_DISABLE_PROCESSOR_CACHES": "1"}
_PR_SET_PDEATHSIG = 1


class Worker:
    """The parent's side. Construct → `send` → wait until `fileno()` is readable → `receive` → `stop`.

    The child's temporary folder belongs to the parent, which removes it in `stop`, however the child has ended.
    """

    def __init__(
        self, module: str, setup: Mapping[str, Any], environment: Mapping[str, str] | None = None,
        cores: int | None = None,
    ) -> None:  # fmt: skip
        """Start `python -m module` and hand it `setup` as its first line; `environment` adds to this process's own.

        Libraries in it find so many `cores`; None: all that this process may use.
        """
        self._partial = b""
        with contextlib.ExitStack() as undo, narrowed(cores) as allowed:
            self._scratch = Scratch()
            undo.callback(self._scratch.close)
            self._log = undo.enter_context(tempfile.TemporaryFile())
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", module],  # -P: a psutil.py in the user's folder is not ours to import
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log,
                env={**os.environ, **COLOR_CACHE_OFF, **(environment or {}), "TMPDIR": str(self.scratch)},
                start_new_session=True,  # Ctrl-C is for the parent, which then stops its workers itself
            )  # fmt: skip
            undo.callback(self.stop, busy=True)
            self.send({**setup, "parent": os.getpid(), "allowed": allowed})
            undo.pop_all()

    @property
    def ended(self) -> bool:
        """Whether the child is gone."""
        return self._process.poll() is not None

    @property
    def was_killed(self) -> bool:
        """Whether somebody ended the child by SIGKILL or SIGTERM."""
        return self._process.poll() in (-signal.SIGKILL, -signal.SIGTERM)

    @property
    def pid(self) -> int:
        """The child's process id."""
        return self._process.pid

    @property
    def scratch(self) -> Path:
        """The child's temporary folder."""
        return self._scratch.path

    def resident(self) -> int:
        """Bytes of memory that the child holds, 0 when it is gone."""
        try:
            return int(psutil.Process(self.pid).memory_info().rss)
        except psutil.Error:
            return 0

    def fileno(self) -> int:
        """What becomes readable when an answer, or the end, is there."""
        assert self._process.stdout is not None
        return self._process.stdout.fileno()

    @property
    def pending(self) -> bool:
        """Whether an answer was read already, together with the one before it."""
        return b"\n" in self._partial

    def send(self, request: Mapping[str, Any]) -> None:
        """Hand over a request; a child that has died is noticed by `receive`."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(orjson.dumps(request) + b"\n")
            self._process.stdin.flush()

    def receive(self, timeout_s: float | None = None) -> dict[str, Any] | None:
        """The next answer; None: the child has ended.

        Raises:
            TimeoutError: nothing came for `timeout_s`; None waits for ever.
        """
        with selectors.DefaultSelector() as selector:
            selector.register(self.fileno(), selectors.EVENT_READ)
            while b"\n" not in self._partial:
                if not selector.select(timeout_s):
                    raise TimeoutError
                data = os.read(self.fileno(), 1 << 16)
                if not data:
                    return None
                self._partial += data
        line, _, self._partial = self._partial.partition(b"\n")
        answer: dict[str, Any] = orjson.loads(line)
        return answer

    def stop(self, busy: bool = False) -> None:
        """End the child: an idle one by closing its pipe, then by SIGTERM, then by SIGKILL. May be called twice."""
        assert self._process.stdin is not None and self._process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        if not busy:
            self._wait(IDLE_GRACE_S)
        self.end()
        self._process.stdout.close()
        self._log.close()
        self._scratch.close()

    def end(self) -> None:
        """End the process, whatever it does: by SIGTERM, then by SIGKILL."""
        if self._process.poll() is None:
            self._process.terminate()
            if not self._wait(GRACE_S):
                self._process.kill()
        self._process.wait()

    def post_mortem(self) -> str:
        """How the child ended, and the last lines it wrote; a child that closed its pipe and lives on is killed."""
        if not self._wait(GRACE_S):
            self._process.kill()
            return self.with_tail("the worker process closed its answers and did not end")
        code = self._process.returncode
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        return self.with_tail(f"the worker process {how}")

    def with_tail(self, message: str) -> str:
        """The message, and below it the last lines that the child wrote."""
        tail = self.log().decode(errors="replace")
        return "\n  ".join([message, *tail.strip().splitlines()[-LOG_TAIL_LINES:]])

    def log(self) -> bytes:
        """The end of what the child has written, 64 KiB at most."""
        log = self._log.fileno()
        # pread, since seeking would move the place where a living child writes next.
        return os.pread(log, LOG_TAIL_BYTES, max(0, os.fstat(log).st_size - LOG_TAIL_BYTES))

    def _wait(self, seconds: float) -> bool:
        """Whether the child ends in that time."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)
        return self._process.returncode is not None


def serve(start: Callable[[dict[str, Any]], Handler | tuple[Handler, Mapping[str, Any]]]) -> None:
    """The child's loop: `start(setup)` gives the function that answers requests. Ends when the parent's pipe closes.

    The first answer is `{"ready": True}`, with more where `start` gives that too; or when it raised a deliberate error
    `{"status": "fatal", "reason": …, "error": the name of its class}`.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    setup = orjson.loads(sys.stdin.buffer.readline() or b"{}")
    die_with(setup.get("parent"))
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)

    def tell(answer: Mapping[str, Any]) -> None:
        answers.write(orjson.dumps(answer) + b"\n")
        answers.flush()

    try:
        started = start(setup)
    except ScenewrightError as e:
        tell({"status": "fatal", "reason": str(e), "error": type(e).__name__})
        return
    widen(setup.get("allowed"))
    handle, more = started if isinstance(started, tuple) else (started, {})
    tell({"ready": True, **more})
    for line in sys.stdin.buffer:
        answer = handle(orjson.loads(line))
        for part in [answer] if isinstance(answer, dict) else answer:
            tell(part)


def ask(
    module: str, setup: Mapping[str, Any], request: Mapping[str, Any], timeout_s: float = TIMEOUT_S
) -> dict[str, Any]:
    """One request to a worker of its own.

    Raises:
        RenderError: it refuses the setup, dies or takes longer than `timeout_s`; the log's tail is in the message.
    """
    worker = Worker(module, setup)
    busy = True
    try:
        expect(worker, "to start", max(timeout_s, START_S))
        worker.send(request)
        answer = expect(worker, "for one image", timeout_s)
        busy = False
        return answer
    finally:
        worker.stop(busy)


def expect(worker: Worker, what: str, timeout_s: float) -> dict[str, Any]:
    """The next answer of a worker that is given `timeout_s` for it; `what` says for what, as in "to start".

    Raises:
        RenderError: it refuses its setup, dies or takes longer; the log's tail is in the message.
    """
    try:
        answer = worker.receive(timeout_s)
    except TimeoutError:
        raise RenderError(worker.with_tail(f"the worker process took longer than {timeout_s:g} s {what}")) from None
    if answer is None:
        raise RenderError(worker.post_mortem())
    if answer.get("status") == "fatal":
        raise RenderError(answer["reason"])
    return answer


def die_with(parent: int | None) -> None:
    """On Linux the kernel ends this process when its parent dies, in whatever way; elsewhere the closed pipe does."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if parent is not None and os.getppid() != parent:
            sys.exit("the parent process has gone")
