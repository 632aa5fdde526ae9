"""A teacher on the loopback: it speaks OpenAI's protocol and fails on purpose.

Answers are a pure function of the seed and the request body; what fails is drawn from the seed,
the body and the number of the try. By hand, with a fifth of all tries failing:

    python -m tests.servers.teacher --port 8765 --seed 1 --faults 0.2 --latency 0.05 --quiet
"""

import asyncio
import signal
import socket
import struct
from argparse import ArgumentParser
from collections import Counter, deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Event, Thread
from time import monotonic, sleep
from typing import Self
from urllib.parse import parse_qs

import orjson

from tests.servers.teacher_answers import Answer, Faults, body_digest, complete, draw
from tests.servers.teacher_batches import Store
from tests.servers.teacher_rules import (
    MALFORMED,
    Reply,
    Request,
    TeacherSettings,
    parse_json,
    problem,
    refuse_body,
)

__all__ = ["Faults", "Teacher", "TeacherSettings", "body_digest"]


@dataclass
class Tally:
    """What was asked, answered and charged so far."""

    requests: int = 0
    charged: int = 0
    lost: int = 0
    batch_charged: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    most_at_once: int = 0
    by_status: Counter[str] = field(default_factory=Counter)
    bodies: Counter[str] = field(default_factory=Counter)
    tries: Counter[str] = field(default_factory=Counter)
    at_once: int = 0
    recent: deque[float] = field(default_factory=deque)

    def charge(self, answer: Answer) -> None:
        self.charged += 1
        self.input_tokens += answer.input_tokens
        self.output_tokens += answer.output_tokens

    def try_number(self, digest: str) -> int:
        self.tries[digest] += 1
        return self.tries[digest]


class Teacher:
    """Serve on a thread of its own until the block ends.

    Attributes:
        faults: what fails; may be replaced at any time.
        url: the base URL that clients are given, ending in `/v1`.
    """

    def __init__(
        self,
        seed: int = 0,
        faults: Faults | None = None,
        *,
        settings: TeacherSettings | None = None,
    ) -> None:
        self.seed = seed
        self.faults = faults or Faults()
        self.settings = settings or TeacherSettings()
        self.tally = Tally()
        self.store = Store(self)
        self.connections: set[Connection] = set()
        self.url = ""
        self._started = Event()

    def __enter__(self) -> Self:
        listener = socket.create_server(("127.0.0.1", self.settings.port), backlog=4096)
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        self._thread = Thread(target=asyncio.run, args=(self._serve(listener),), daemon=True)
        self._thread.start()
        self._started.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    async def _serve(self, listener: socket.socket) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        server = await self._loop.create_server(lambda: Connection(self), sock=listener)
        self._started.set()
        await self._stop.wait()
        server.close()
        for connection in list(self.connections):
            connection.transport.abort()
        await asyncio.sleep(0)  # their ends are counted

    def stats(self, *, bodies: bool = True) -> dict[str, object]:
        """Sum up so far: charged = answers in `bodies` + `lost` + `batch_charged` + on the way.

        `lost` counts answers that were charged and cut, unreadable or no longer waited for.
        `by_status` counts chat requests; a cut one is `reset`, one whose client left is `gone`.
        """
        names = ("requests", "charged", "lost", "batch_charged", "input_tokens", "output_tokens")
        sums = {name: getattr(self.tally, name) for name in (*names, "most_at_once")}
        sums["by_status"] = dict(self.tally.by_status)
        return sums | ({"bodies": dict(self.tally.bodies)} if bodies else {})

    # What follows runs on the thread of the loop.

    def answer(self, request: Request) -> Reply:
        """Say what a request is answered with, and when."""
        if request.path == "/v1/chat/completions" and request.method == "POST":
            return self._chat(request)
        if request.path == "/stats":
            return Reply.of(self.stats(bodies="bodies" in parse_qs(request.query)))
        if refusal := self._refuse_key(request):
            return refusal
        if request.path == "/v1/models":
            names = self.settings.models or ("teacher-1",)
            models = [{"id": name, "object": "model", "owned_by": "tests"} for name in names]
            return Reply.of({"object": "list", "data": models})
        return self.store.answer(request)

    def _refuse_key(self, request: Request) -> Reply | None:
        given = request.headers.get("authorization", "").removeprefix("Bearer ")
        if self.settings.key in {None, given}:
            return None
        return problem(401, f"Incorrect API key provided: {given}.", code="invalid_api_key")

    def _chat(self, request: Request) -> Reply:
        tally = self.tally
        tally.requests += 1
        tally.at_once += 1
        tally.most_at_once = max(tally.most_at_once, tally.at_once)
        try:
            reply = self._refuse_key(request) or self._refuse_rate() or self._answer_chat(request)
        except MALFORMED as error:
            reply = problem(400, f"Invalid body: {error!r}")
        reply.ended = self._end
        return reply

    def _end(self, reply: Reply, *, delivered: bool) -> None:
        self.tally.at_once -= 1
        whole = delivered and not reply.cut
        self.tally.by_status["gone" if not delivered else reply.cut or str(reply.status)] += 1
        if reply.charged and whole and reply.digest:
            self.tally.bodies[reply.digest] += 1
        elif reply.charged:
            self.tally.lost += 1

    def _refuse_rate(self) -> Reply | None:
        settings, recent, now = self.settings, self.tally.recent, monotonic()
        if settings.concurrency and self.tally.at_once > settings.concurrency:
            return self._too_many(self.faults.retry_after)
        if settings.requests_per_minute:
            while recent and recent[0] <= now - 60:
                recent.popleft()
            if len(recent) >= settings.requests_per_minute:
                return self._too_many(recent[0] + 60 - now)
            recent.append(now)
        return None

    def _too_many(self, wait: float | None) -> Reply:
        reply = problem(429, "Rate limit reached for requests.", code="rate_limit_exceeded")
        reply.headers = "" if wait is None else f"retry-after: {wait:.3f}\r\n"
        return reply

    def _answer_chat(self, request: Request) -> Reply:
        body = parse_json(request.content)
        if refusal := refuse_body(self, body):
            return refusal
        digest = body_digest(body)
        number, faults = self.tally.try_number(digest), self.faults
        fault = faults.of_try(draw(self.seed, digest, number))
        if fault in {"rate_limited", "rate_limited_silent"}:
            return self._too_many(faults.retry_after if fault == "rate_limited" else None)
        coin = draw(self.seed, digest, number, "coin") < 0.5
        if fault == "server_error":
            return problem(500 if coin else 503, "The server had an error. Sorry about that!")
        answer = self.charge(body, digest)
        reply = Reply(200, answer.content, charged=True, digest=digest)
        reply.delay = self.settings.latency * (1 + draw(self.seed, digest, "latency"))
        if fault == "slow":
            reply.delay += faults.slow_seconds
        elif fault == "reset":
            reply.cut, reply.hard = "reset", coin
        elif fault == "bad_body":
            reply.content, reply.digest = b"<html><body>upstream error</body></html>", ""
            reply.kind = "text/html" if coin else reply.kind
        return reply

    def charge(self, body: Mapping[str, object], digest: str) -> Answer:
        """Compose the answer to a body and charge it."""
        answer = complete(self.seed, body, digest, self.faults, usage=self.settings.usage)
        self.tally.charge(answer)
        return answer


# HTTP/1.1, written by hand because a benchmark waits at the other end.

REASONS = {200: "OK", 400: "Bad Request", 401: "Unauthorized", 404: "Not Found"}
REASONS |= {429: "Too Many Requests", 500: "Internal Server Error", 503: "Service Unavailable"}


class Connection(asyncio.Protocol):
    """One kept-alive connection; its requests are answered one after the other."""

    transport: asyncio.Transport

    def __init__(self, teacher: "Teacher") -> None:
        self.teacher = teacher
        self.buffer = bytearray()
        self.head: Request | None = None
        self.reply: Reply | None = None
        self.timer: asyncio.TimerHandle | None = None
        self.served = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.teacher.connections.add(self)

    def connection_lost(self, error: Exception | None) -> None:
        del error
        self.teacher.connections.discard(self)
        if self.timer:
            self.timer.cancel()
        self._end(delivered=False)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        self._go_on()

    def _go_on(self) -> None:
        """Answer what has arrived whole; a delayed reply holds up those behind it."""
        while not self.reply and not self.transport.is_closing() and self._read():
            request, self.head = self.head, None
            self.reply = self.teacher.answer(request)
            if self.reply.delay > 0:
                loop = asyncio.get_running_loop()
                self.timer = loop.call_later(self.reply.delay, self._send_late, request)
            else:
                self._send(request)

    def _read(self) -> bool:
        """Move a whole request from the buffer to `head`, if there is one."""
        if self.head is None:
            end = self.buffer.find(b"\r\n\r\n")
            if end < 0:
                return False
            self.head = parse_head(self.buffer[:end].decode("latin-1"))
            del self.buffer[: end + 4]
            if "expect" in self.head.headers:
                self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if self.head.headers.get("transfer-encoding", "").lower() == "chunked":
            found = join_chunks(self.buffer)
            if found is None:
                return False
            self.head.content, length = found
        else:
            length = int(self.head.headers.get("content-length", 0))
            if len(self.buffer) < length:
                return False
            self.head.content = bytes(self.buffer[:length])
        del self.buffer[:length]
        return True

    def _send_late(self, request: Request) -> None:
        self.timer = None
        self._send(request)
        self._go_on()

    def _send(self, request: Request) -> None:
        reply, self.served = self.reply, self.served + 1
        self._end(delivered=True)  # before the client can know, so that its view of stats() agrees
        head = (
            f"HTTP/1.1 {reply.status} {REASONS.get(reply.status, '')}\r\n"
            f"content-type: {reply.kind}\r\n"
            f"content-length: {len(reply.content)}\r\n"
            f"x-request-id: req_{reply.digest or 'none'}_{self.served}\r\n{reply.headers}\r\n"
        ).encode()
        if reply.cut:
            self.transport.write(head + reply.content[: len(reply.content) // 2])
            if reply.hard:
                linger = struct.pack("ii", 1, 0)  # closing then sends RST
                sock = self.transport.get_extra_info("socket")
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.transport.abort()
        else:
            self.transport.write(head + reply.content)
            if request.headers.get("connection", "").lower() == "close":
                self.transport.close()

    def _end(self, *, delivered: bool) -> None:
        reply, self.reply = self.reply, None
        if reply and reply.ended:
            reply.ended(reply, delivered=delivered)


def parse_head(text: str) -> Request:
    """Parse a request line and the header lines under it."""
    first, *lines = text.split("\r\n")
    method, target, _ = first.split(" ")
    path, _, query = target.partition("?")
    headers = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    return Request(method, path, query, headers)


def join_chunks(buffer: bytearray) -> tuple[bytes, int] | None:
    """Join a chunked body and tell where it ends; None if more is to come."""
    parts, place = [], 0
    while (end := buffer.find(b"\r\n", place)) >= 0:
        size = int(buffer[place:end].split(b";")[0], 16)
        if len(buffer) < end + 2 + size + 2:
            return None
        parts.append(buffer[end + 2 : end + 2 + size])
        place = end + 2 + size + 2
        if size == 0:
            return b"".join(parts), place
    return None


USE = (
    "Give this URL to any OpenAI client as its base URL; any model and key will do. "
    "GET /stats tells what was asked so far; Ctrl-C ends it."
)


def main() -> None:
    """Serve until interrupted, then print what was asked."""
    parser = ArgumentParser(prog="python -m tests.servers.teacher", description=USE)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--faults", type=float, default=0, help="share of tries that fail")
    parser.add_argument("--latency", type=float, default=0, help="seconds before an answer")
    parser.add_argument("--key", help="let in this API key only")
    parser.add_argument("--concurrency", type=int, help="refuse more chat requests at once")
    parser.add_argument("--batch-seconds", type=float, default=5, help="how long a batch takes")
    parser.add_argument("--quiet", action="store_true", help="no sums while it runs")
    for number in (signal.SIGINT, signal.SIGTERM):  # a shell's background job ignores the first
        signal.signal(number, signal.default_int_handler)
    args = vars(parser.parse_args())
    seed, share, quiet = args.pop("seed"), args.pop("faults") / 5, args.pop("quiet")
    names = ("rate_limited", "rate_limited_silent", "server_error", "reset", "slow")
    faults = Faults(**dict.fromkeys(names, share))
    with Teacher(seed, faults, settings=TeacherSettings(**args)) as teacher:
        print(f"OPENAI_BASE_URL={teacher.url}\n{USE}", flush=True)
        with suppress(KeyboardInterrupt):
            while True:
                sleep(5)
                if not quiet:
                    print(teacher.stats(bodies=False), flush=True)
        print(orjson.dumps(teacher.stats(bodies=False), option=orjson.OPT_INDENT_2).decode())


if __name__ == "__main__":
    main()
