"""A proxy in front of an object store that does what networks and stores do to requests, by plan and not by chance."""

from __future__ import annotations

import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import cycle
from typing import Any, Literal

__all__ = ["Fault", "FaultyProxy", "every_third"]

#: "refuse": 503, and nothing is passed on. "deny": 403, likewise. "cut": the connection is closed before the body is
#: read. "tear": half of the body is passed on, as if it were all. "forget": all is, and the answer is lost.
#: "unconditional": the condition of a create-if-absent is lost. None: nothing goes wrong.
Fault = Literal["refuse", "deny", "cut", "tear", "forget", "unconditional"] | None
Plan = Callable[[int, str, str], Fault]

#: Headers that speak of one connection or of the body as it was sent.
OWN = {"connection", "content-length", "transfer-encoding", "expect"}
#: Status, code and message of S3 for requests that it does not serve.
ANSWERS = {
    "refuse": (503, "SlowDown", "Please reduce your request rate."),
    "deny": (403, "AccessDenied", "Access Denied"),
}


class FaultyProxy:
    """Listens on a free port of the loopback interface, for as long as the context lasts.

    Args:
        port: of the store, on the loopback interface.
        plan: gets the number of a request, from 0, its method and its path, and says what goes wrong with it.
    """

    def __init__(self, port: int, plan: Plan) -> None:
        self.upstream, self.plan = port, plan
        self.requests: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        self._lock, self._number = threading.Lock(), 0
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    @property
    def url(self) -> str:
        """What clients are told instead of the store's own address."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> FaultyProxy:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def next(self, method: str, path: str) -> Fault:
        """What goes wrong with this request; counts it."""
        with self._lock:
            fault = self.plan(self._number, method, path)
            self._number += 1
            self.requests[method] += 1
            self.faults[str(fault)] += 1
        return fault


def every_third() -> Plan:
    """The third request and each third one after it goes wrong: writes in four ways in turn, other requests in two."""
    writes: Iterator[Fault] = cycle(("tear", "forget", "refuse", "cut"))
    others: Iterator[Fault] = cycle(("refuse", "cut"))

    def plan(number: int, method: str, path: str) -> Fault:
        if number % 3 != 2:
            return None
        return next(writes if method == "PUT" else others)

    return plan


def _handler(proxy: FaultyProxy) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None:
            pass

        def _serve(self) -> None:
            fault = proxy.next(self.command, self.path)
            if fault == "cut":
                self._hang_up()
                return
            body = self._body()
            if fault in ANSWERS:
                status, code, message = ANSWERS[fault]
                text = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{message}</Message></Error>"
                self._answer(status, {"Content-Type": "application/xml"}, text.encode())
                return
            headers = {k: v for k, v in self.headers.items() if k.lower() not in OWN}
            if fault == "tear":  # nor does the store learn what it should have got
                body = body[: len(body) // 2]
                headers = {
                    k: v for k, v in headers.items() if "checksum" not in k.lower() and k.lower() != "content-md5"
                }
            if fault == "unconditional":
                headers = {k: v for k, v in headers.items() if k.lower() != "if-none-match"}
            status, told, answer = self._pass_on(headers, body)
            if fault == "forget":
                self._hang_up()
                return
            self._answer(status, told, answer)

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _serve  # names that the base class looks for

        def _body(self) -> bytes:
            if self.headers.get("Expect", "").lower() == "100-continue":
                self.send_response_only(100)
                self.end_headers()
            if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
                return b"".join(iter(self._chunk, b""))
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))

        def _chunk(self) -> bytes:
            data = self.rfile.read(int(self.rfile.readline().partition(b";")[0], 16))
            self.rfile.readline()
            return data

        def _pass_on(self, headers: dict[str, str], body: bytes) -> tuple[int, dict[str, str], bytes]:
            upstream = HTTPConnection("127.0.0.1", proxy.upstream, timeout=30)
            try:
                upstream.request(self.command, self.path, body, headers | {"Content-Length": str(len(body))})
                answer = upstream.getresponse()
                return answer.status, dict(answer.getheaders()), answer.read()
            finally:
                upstream.close()

        def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
            self.send_response_only(status)
            for name, value in headers.items():
                if name.lower() not in OWN:
                    self.send_header(name, value)
            length = headers.get("Content-Length", "0") if self.command == "HEAD" else str(len(body))
            self.send_header("Content-Length", length)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def _hang_up(self) -> None:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)

    return Handler
