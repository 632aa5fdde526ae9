"""A real S3 server in this process (moto's), on a free port, that can act at any request."""

import logging
import threading
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Self

from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

KEYS = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}

Hook = Callable[[int, str, str], None]


class S3Server:
    """Serve buckets; `before` and `after` are called around every request.

    They get the request's number (from 1 since `watch`), its method and its path.
    """

    def __init__(self) -> None:
        self.before: Hook = _nothing
        self.after: Hook = _nothing
        self.ignores_conditions = False
        self.denies = False
        self.requests: list[tuple[str, str]] = []
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        application = DomainDispatcherApplication(create_backend_app)

        def wrapped(environ: dict, start: Callable) -> Iterable[bytes]:
            with self._lock:
                self.requests.append((environ["REQUEST_METHOD"], environ["PATH_INFO"]))
                number = len(self.requests)
            if self.ignores_conditions:
                environ.pop("HTTP_IF_NONE_MATCH", None)
            place = (number, environ["REQUEST_METHOD"], environ["PATH_INFO"])
            self.before(*place)
            if self.denies:
                start("403 Forbidden", [("Content-Type", "application/xml")])
                return [b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"]
            answer = list(application(environ, start))
            self.after(*place)
            return answer

        self._server = make_server("127.0.0.1", 0, wrapped, threaded=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        logging.getLogger("werkzeug").setLevel(logging.CRITICAL)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._thread.join()

    def watch(self, before: Hook | None = None, after: Hook | None = None) -> None:
        """Count from here, and call these."""
        self.requests.clear()
        self.before, self.after = before or _nothing, after or _nothing


def _nothing(number: int, method: str, path: str) -> None:
    del number, method, path
