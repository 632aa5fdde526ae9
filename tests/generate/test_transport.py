"""What goes over the wire, through which proxy, and what every way to fail comes to."""

import asyncio
import base64
import shutil
import socket
import ssl
import subprocess
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingTCPServer
from threading import Thread
from typing import Self

import httpx2
import openai
import orjson
import pytest

from imitation_data.conversation import Message
from imitation_data.errors import TeacherError
from imitation_data.generate.client import Client, TransientError
from imitation_data.generate.request import Answer, Sampling
from imitation_data.generate.teacher import Teacher
from imitation_data.generate.transport import proxy_for
from tests.generate.conftest import KEY

SAID = {"choices": [{"message": {"content": "héllo"}, "finish_reason": "stop"}], "model": "m"}
BODY = orjson.dumps(SAID)
GOOD = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(BODY) + BODY


@dataclass
class Listener:
    """Answers every request with the same bytes, then hangs up; use as a context manager.

    Attributes:
        answer: bytes, or what to do with the connection.
        heard: each request, head and body.
    """

    answer: bytes | Callable[[socket.socket], None] = GOOD
    trust: ssl.SSLContext | None = None
    heard: list[bytes] = field(default_factory=list)

    def __enter__(self) -> Self:
        listener = self

        class Handler(StreamRequestHandler):
            def handle(self) -> None:
                listener.serve(self.request)

        ThreadingTCPServer.daemon_threads = True
        self.server = ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()

    def serve(self, connection: socket.socket) -> None:
        try:
            if self.trust is not None:
                connection = self.trust.wrap_socket(connection, server_side=True)
            self.hear(connection)
            if callable(self.answer):
                self.answer(connection)
            else:
                connection.sendall(self.answer)
                connection.close()
        except OSError:  # the other side left
            pass

    def hear(self, connection: socket.socket) -> None:
        got = b""
        while b"\r\n\r\n" not in got:
            got += connection.recv(65536)
        head, _, body = got.partition(b"\r\n\r\n")
        length = next((int(v) for k, v in fields(head).items() if k == "content-length"), 0)
        while len(body) < length:
            body += connection.recv(65536)
        self.heard.append(head + b"\r\n\r\n" + body)


def fields(head: bytes) -> dict[str, str]:
    lines = head.decode("latin-1").split("\r\n\r\n")[0].split("\r\n")[1:]
    return {
        name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)
    }


def ask(endpoint: str, timeout: float = 5.0) -> Answer:
    teacher = Teacher("m", endpoint, timeout=timeout)
    request = teacher.request([Message("user", "hi")], Sampling(5))

    async def once() -> Answer:
        async with Client(teacher) as client:
            return await client.ask(request)

    return asyncio.run(once())


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def test_the_request_is_that_of_the_openai_client():
    """Line by line, but for what belongs to the connection; the body is the request's own."""
    with Listener() as listener:
        url = f"http://127.0.0.1:{listener.port}/deep/v1?api-version=2026-01-01&x=a%2Fb%20c"
        assert ask(url) == Answer("héllo", "complete", "m", -1, -1)
        base, query = Teacher("m", url).address()
        with openai.OpenAI(base_url=base, default_query=query) as client:
            client.chat.completions.create(model="m", messages=[{"role": "user", "content": "hi"}])
        ours, theirs = listener.heard
    assert ours.split(b"\r\n")[0] == theirs.split(b"\r\n")[0]
    assert b"/deep/v1/chat/completions?" in ours.split(b"\r\n")[0]
    mine, other = fields(ours), fields(theirs)
    assert mine["authorization"] == f"Bearer {KEY}"
    own = {"accept-encoding", "connection", "content-length", "x-stainless-async"}
    own |= {"user-agent", "x-stainless-read-timeout", "x-stainless-raw-response"}
    assert {k: v for k, v in mine.items() if k not in own} == {
        k: v for k, v in other.items() if k not in own
    }
    request = Teacher("m", url).request([Message("user", "hi")], Sampling(5))
    assert ours.partition(b"\r\n\r\n")[2] == request.body


def test_user_info_is_sent_as_basic_authentication():
    with Listener() as listener:
        ask(f"http://me:p%40ss@127.0.0.1:{listener.port}/v1")
        said = fields(listener.heard[0])["authorization"]
    assert said == "Basic " + base64.b64encode(b"me:p@ss").decode()


def test_redirects_are_not_followed():
    """The one who is sent to would get to see the key."""
    with Listener() as other:
        where = f"http://127.0.0.1:{other.port}/v1"
        head = f"HTTP/1.1 307 Go\r\nlocation: {where}\r\ncontent-length: 0\r\n\r\n"
        with Listener(head.encode()) as listener, pytest.raises(TeacherError, match="elsewhere"):
            ask(f"http://127.0.0.1:{listener.port}/v1")
        assert other.heard == []


def silent(connection: socket.socket) -> None:
    connection.settimeout(5)
    connection.recv(1)


def failure(endpoint: str, timeout: float = 5.0) -> tuple[bool, bool, bool]:
    with pytest.raises(TransientError) as caught:
        ask(endpoint, timeout)
    assert KEY not in str(caught.value)
    return caught.value.paid, caught.value.reached, caught.value.crowded


CUT = GOOD[:-9]
WAIT = b"HTTP/1.1 429 Slow\r\nretry-after: 7\r\ncontent-length: 0\r\n\r\n"


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        (CUT, (True, True, False)),
        (b"", (True, True, False)),
        (b"this is no HTTP\r\n\r\n", (True, True, False)),
        (silent, (True, True, True)),
        (WAIT, (False, True, True)),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nno", (True, True, False)),
        (b"HTTP/1.1 504 Late\r\ncontent-length: 4\r\n\r\n<ht>", (True, True, True)),
    ],
    ids=["cut", "closed", "no HTTP", "silent", "429", "no JSON", "gateway"],
)
def test_what_a_failure_comes_to(answer, found):
    """Whether it may have been paid for, whether somebody was there, whether they are busy."""
    with Listener(answer) as listener:
        assert failure(f"http://127.0.0.1:{listener.port}/v1", 0.5) == found


def test_nobody_there_is_not_paid_for():
    """Refused, unknown by name, or without an answer to a call (the queue of calls is full)."""
    assert failure("http://127.0.0.1:9/v1") == (False, False, False)
    assert failure("http://nowhere.invalid/v1") == (False, False, False)
    with socket.socket() as deaf, socket.socket() as first, socket.socket() as second:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        for one in (first, second):
            one.settimeout(0)
            one.connect_ex(deaf.getsockname())
        assert failure(f"http://127.0.0.1:{deaf.getsockname()[1]}/v1", 0.5) == (False, False, False)


def test_nothing_is_sent_again_unasked():
    """A kept connection that is closed when the next request comes: that one may be paid for."""
    answers = [GOOD, b""]

    def one_good(connection: socket.socket) -> None:
        connection.sendall(answers.pop(0))
        if answers:
            listener.serve(connection)
        connection.close()

    async def twice() -> None:
        async with Client(teacher) as client:
            await client.ask(request)
            with pytest.raises(TransientError) as caught:
                await client.ask(request)
            assert caught.value.paid

    with Listener(one_good) as listener:
        teacher = Teacher("m", f"http://127.0.0.1:{listener.port}/v1")
        request = teacher.request([Message("user", "hi")], Sampling(5))
        asyncio.run(twice())
        assert len(listener.heard) == 2


def test_how_long_to_wait_is_read():
    with Listener(WAIT) as listener, pytest.raises(TransientError) as caught:
        ask(f"http://127.0.0.1:{listener.port}/v1")
    assert caught.value.wait == 7.0


def test_a_filtered_prompt_is_an_answer():
    body = orjson.dumps({"error": {"code": "content_filter", "message": "no"}})
    head = b"HTTP/1.1 400 Bad\r\ncontent-length: %d\r\n\r\n" % len(body)
    with Listener(head + body) as listener:
        assert ask(f"http://127.0.0.1:{listener.port}/v1").outcome == "filtered"


def test_a_proxy_is_asked(monkeypatch):
    """In its own form, with its own password and without ours."""
    with Listener() as proxy:
        monkeypatch.setenv("http_proxy", f"http://me:secret@127.0.0.1:{proxy.port}")
        ask("http://teacher.invalid/v1")
        head = proxy.heard[0]
    assert head.startswith(b"POST http://teacher.invalid/v1/chat/completions HTTP/1.1\r\n")
    said = fields(head)
    assert said["host"] == "teacher.invalid"
    assert said["proxy-authorization"] == "Basic " + base64.b64encode(b"me:secret").decode()


def test_a_proxy_for_https_sees_no_key(monkeypatch):
    """It is asked to connect; refusing that, it is to blame, and nothing was paid."""
    refusal = b"HTTP/1.1 403 No\r\ncontent-length: 0\r\n\r\n"
    with Listener(refusal) as proxy:
        monkeypatch.setenv("https_proxy", f"http://me:secret@127.0.0.1:{proxy.port}")
        assert failure("https://teacher.invalid/v1") == (False, False, False)
        head = proxy.heard[0]
    assert head.startswith(b"CONNECT teacher.invalid:443 HTTP/1.1\r\n")
    assert KEY.encode() not in head
    assert fields(head)["proxy-authorization"] == "Basic " + base64.b64encode(b"me:secret").decode()


def test_what_cannot_be_sent_is_told(monkeypatch):
    """A proxy that does not speak HTTP, unless another is named; what is no key."""
    monkeypatch.setenv("all_proxy", "socks5://127.0.0.1:9")
    with pytest.raises(TeacherError, match="socks5"):
        ask("http://teacher.invalid/v1")
    with Listener() as proxy:
        monkeypatch.setenv("http_proxy", f"127.0.0.1:{proxy.port}")
        assert ask("http://teacher.invalid/v1").text == "héllo"

    for key in ("sk-one\nX-Other: two", "schlüssel"):
        monkeypatch.setenv("OPENAI_API_KEY", key)
        with pytest.raises(TeacherError, match="holds no key"):
            ask("http://127.0.0.1:9/v1")


NO_PROXY = [
    "",
    "*",
    "example.org",
    "teacher.example.com",
    "example.com",
    ".example.com",
    "localhost,example.com",
    "10.1.2.3",
    "10.0.0.0/8",
    "11.0.0.0/8, 10.1.2.0/24",
]
URLS = ["http://teacher.example.com/v1", "https://10.1.2.3:8000/v1", "http://notexample.com/v1"]


@pytest.mark.parametrize("url", URLS)
@pytest.mark.parametrize("beside", NO_PROXY)
def test_the_proxy_is_that_of_the_openai_client(url, beside, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://one:1")
    monkeypatch.setenv("https_proxy", "two:2")
    monkeypatch.setenv("no_proxy", beside)
    client = openai.DefaultHttpxClient()
    taken = client._transport_for_url(httpx2.URL(url))
    proxied = taken is not client._transport
    assert (proxy_for(httpx2.URL(url)) is not None) == proxied


@pytest.fixture
def certificate(tmp_path) -> Path:
    if shutil.which("openssl") is None:
        pytest.skip("openssl, which makes the certificate, is not installed")
    words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=t"
    names = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", "key.pem", "-out", "cert.pem"]
    subprocess.run(
        ["openssl", *words.split(), *names], cwd=tmp_path, check=True, capture_output=True
    )
    return tmp_path / "cert.pem"


def pipe(source: socket.socket, to: socket.socket) -> None:
    with suppress(OSError):
        while got := source.recv(65536):
            to.sendall(got)
        to.shutdown(socket.SHUT_WR)


def test_certificates_are_checked(certificate, monkeypatch):
    """One nobody vouches for is refused, unpaid; with SSL_CERT_FILE it is good, also by proxy."""

    def tunnel(near: socket.socket) -> None:
        near.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
        with socket.create_connection(("127.0.0.1", listener.port)) as far:
            back = Thread(target=pipe, args=(far, near))
            back.start()
            pipe(near, far)
            back.join()

    trust = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trust.load_cert_chain(certificate, certificate.with_name("key.pem"))
    with Listener(trust=trust) as listener:
        url = f"https://127.0.0.1:{listener.port}/v1"
        assert failure(url) == (False, False, False)
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        assert ask(url).text == "héllo"
        with Listener(tunnel) as proxy:
            monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{proxy.port}")
            assert ask(url).text == "héllo"
            assert proxy.heard[0].startswith(b"CONNECT 127.0.0.1:")
