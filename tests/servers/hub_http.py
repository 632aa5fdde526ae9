"""HTTP of the loopback Hub: requests as values, replies with ranges, connections that break."""

import json
import os
import re
import socket
import struct
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BufferedIOBase
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, unquote, urlsplit

if TYPE_CHECKING:
    from tests.servers.hub import Hub

PIECE = 1 << 20  # bytes


class RefusedError(Exception):
    """An answer that is a refusal; `code` is what `X-Error-Code` says."""

    def __init__(self, status: int, message: str, code: str = "") -> None:
        super().__init__(message)
        self.status, self.message, self.code = status, message, code
        self.headers: dict[str, str] = {}


@dataclass
class Request:
    """What is asked; the body is read once, from the connection.

    Attributes:
        parts: the segments of the path, each unquoted, so that a revision may hold slashes.
    """

    method: str
    path: str
    parts: tuple[str, ...]
    query: Mapping[str, list[str]]
    headers: Message
    stream: BufferedIOBase
    url: str = ""  # path and query as they came
    left: int = 0  # bytes of the body that were not read yet
    chunked: bool = False

    @staticmethod
    def read(handler: BaseHTTPRequestHandler) -> "Request":
        target = urlsplit(handler.path)
        parts = tuple(unquote(part) for part in target.path.strip("/").split("/"))
        request = Request(
            handler.command,
            unquote(target.path),
            parts,
            parse_qs(target.query, keep_blank_values=True),
            handler.headers,
            handler.rfile,
            handler.path,
        )
        request.left = int(handler.headers.get("content-length", 0))
        request.chunked = handler.headers.get("transfer-encoding", "").lower() == "chunked"
        return request

    def pieces(self) -> Iterator[bytes]:
        """Read what is left of the body.

        Raises:
            ConnectionError: if the client leaves before its end.
        """
        if self.chunked:
            yield from self._chunks()
        while self.left:
            piece = self.stream.read(min(self.left, PIECE))
            if not piece:
                raise ConnectionError
            self.left -= len(piece)
            yield piece

    def _chunks(self) -> Iterator[bytes]:
        while size := int(self._line().split(b";")[0], 16):
            piece = self.stream.read(size)
            if len(piece) < size:
                raise ConnectionError
            yield piece
            self._line()
        self.stream.readline()
        self.chunked = False

    def _line(self) -> bytes:
        line = self.stream.readline()
        if not line.endswith(b"\n"):
            raise ConnectionError
        return line

    def body(self) -> bytes:
        return b"".join(self.pieces())

    def json(self) -> dict[str, object]:
        """The body as an object.

        Raises:
            RefusedError: if it is none.
        """
        try:
            found = json.loads(self.body() or b"{}")
        except ValueError as error:
            raise RefusedError(400, f"the body is no JSON: {error}") from error
        if not isinstance(found, dict):
            raise RefusedError(400, "the body is no JSON object")
        return found

    def flag(self, name: str) -> bool:
        return self.query.get(name, [""])[-1].lower() in {"1", "true"}

    def number(self, name: str, default: int) -> int:
        found = self.query.get(name, [""])[-1]
        return int(found) if found.isdigit() else default


@dataclass
class Reply:
    """An answer; contents are bytes, or a file of which a range may be sent."""

    status: int
    content: bytes | Path = b""
    headers: dict[str, str] = field(default_factory=dict)

    @staticmethod
    def of(body: object, status: int = 200, kind: str = "application/json") -> "Reply":
        return Reply(
            status,
            json.dumps(body, default=str).encode(),
            {"Content-Type": f"{kind}; charset=utf-8"},
        )

    @staticmethod
    def refusal(error: RefusedError) -> "Reply":
        reply = Reply.of({"error": error.message}, error.status)
        reply.headers |= error.headers
        one_line = "".join(sign if " " <= sign <= "~" else "?" for sign in error.message)
        reply.headers["X-Error-Message"] = one_line
        if error.code:
            reply.headers["X-Error-Code"] = error.code
        return reply

    @property
    def size(self) -> int:
        content = self.content
        return len(content) if isinstance(content, bytes) else content.stat().st_size


def asked_range(header: str, size: int) -> tuple[int, int] | None:
    """The first byte and the one after the last of a `Range`; None where all is to be sent.

    Raises:
        RefusedError: 416, if the range holds no byte of the contents.
    """
    found = re.fullmatch(r"bytes=(\d*)-(\d*)", header.strip())
    if not found or found[0] == "bytes=-":
        return None
    if found[1]:
        first, end = int(found[1]), min(int(found[2]) + 1 if found[2] else size, size)
    else:
        first, end = max(size - int(found[2]), 0), size
    if first >= end:
        raise RefusedError(416, f"the range {header} lies outside of {size} bytes")
    return first, end


class HubServer(ThreadingHTTPServer):
    """Listens for the Hub or for its storage; ends with its connections."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, hub: "Hub", port: int = 0, *, storage: bool = False) -> None:
        self.hub, self.storage = hub, storage
        self.open: set[socket.socket] = set()
        super().__init__(("127.0.0.1", port), _Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def end(self) -> None:
        self.shutdown()
        self.server_close()
        for connection in list(self.open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: object, client_address: object) -> None:
        pass  # a client that leaves; our own mistakes are kept by `Hub.answer`


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 1 << 16
    server: HubServer

    def setup(self) -> None:
        super().setup()
        self.server.open.add(self.connection)

    def finish(self) -> None:
        self.server.open.discard(self.connection)
        super().finish()

    def log_message(self, *_: object) -> None:
        pass  # the tests read `calls`

    def _go(self) -> None:
        request = Request.read(self)
        fault = self.server.hub.fault(request)
        if fault in {"reset", "half"}:
            if fault == "half" and request.left:
                request.stream.read(request.left // 2)
            self._reset()
            return
        reply = self.server.hub.answer(request, fault, storage=self.server.storage)
        if fault == "lost":
            self._reset()
            return
        for _ in request.pieces():
            pass  # else it would be taken for the next request
        self._send(request, reply)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = _go  # noqa: N815 — the base class names them

    def _send(self, request: Request, reply: Reply) -> None:
        size, status, first, end = reply.size, reply.status, 0, reply.size
        with_range = status == 200 and "Accept-Ranges" in reply.headers
        if with_range and (header := request.headers.get("range")):
            try:
                first, end = asked_range(header, size) or (0, size)
            except RefusedError as error:
                reply, status = Reply.refusal(error), 416
                reply.headers["Content-Range"] = f"bytes */{size}"
                first, end = 0, reply.size
            else:
                if (first, end) != (0, size) or asked_range(header, size):
                    status = 206
                    reply.headers["Content-Range"] = f"bytes {first}-{end - 1}/{size}"
        self.send_response(status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(end - first))
        self.end_headers()
        if self.command != "HEAD":
            self._write(reply.content, first, end)

    def _write(self, content: bytes | Path, first: int, end: int) -> None:
        if isinstance(content, bytes):
            self.wfile.write(content[first:end])
            return
        with content.open("rb") as file:
            file.seek(first)
            while first < end and (piece := file.read(min(PIECE, end - first))):
                first += self.wfile.write(piece)

    def _reset(self) -> None:
        """Send RST: no answer, and no polite end either."""
        self.close_connection = True
        self.server.open.discard(self.connection)
        linger = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        os.close(self.connection.detach())
