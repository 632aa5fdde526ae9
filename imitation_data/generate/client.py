"""One try of one request through the `openai` client, and what became of it.

Retries, rates and money are the sender's; here an answer or an error of the protocol becomes one of
a few kinds.
"""

import json
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, cast

import httpx2
import openai
import orjson

from imitation_data.errors import TeacherError
from imitation_data.generate.redact import redacted
from imitation_data.generate.request import Answer, Outcome, Request
from imitation_data.generate.teacher import Teacher
from imitation_data.generate.transport import Wire, prepared, proxy_for

MOST_TOKENS = 1 << 31  # an endpoint that reports more has not counted
QUOTA = {
    "insufficient_quota",
    "billing_hard_limit_reached",
    "billing_not_active",
    "access_terminated",
}
TOO_LONG = {"context_length_exceeded", "exceed_context_size_error"}
_TOO_LONG = re.compile(r"(?:maximum|exceeds?\b.*) context (?:length|size|window)", re.IGNORECASE)
CROWDED = {429, 503, 529}
NOT_PAID = {409, 425, 429, 500, 502, 503, 529}  # transient, and told before anything was made
MAYBE_PAID = {408, 504, 520, 522, 524}  # somebody on the way gave up


class TransientError(Exception):
    """Worth another try.

    Attributes:
        paid: whether the try may have been charged.
        crowded: whether the endpoint has too much to do.
        reached: whether the endpoint was there at all.
        wait: seconds it asks to wait.
    """

    def __init__(
        self,
        words: str,
        *,
        paid: bool,
        crowded: bool = False,
        reached: bool = True,
        wait: float = 0.0,
    ) -> None:
        super().__init__(words)
        self.paid, self.crowded, self.reached, self.wait = paid, crowded, reached, wait


@dataclass
class Client:
    """Asks one teacher; use as an async context manager.

    Attributes:
        given: whether a prompt that is too long for the model is an answer, instead of an end.
    """

    teacher: Teacher
    given: bool = False

    async def __aenter__(self) -> Self:
        url, query = self.teacher.address()
        trust, proxy = ssl.create_default_context(), proxy_for(httpx2.URL(url))
        # A server that sends requests elsewhere would get to see the key there.
        http = openai.DefaultAsyncHttpxClient(
            verify=trust,
            proxy=proxy,
            trust_env=False,
            follow_redirects=False,
            timeout=self.teacher.timeout,
        )
        self.api = openai.AsyncOpenAI(
            api_key=self.teacher.key_value(),
            base_url=url,
            default_query=query,
            max_retries=0,
            http_client=http,
            timeout=self.teacher.timeout,
        )
        like = await prepared(self.api, "/chat/completions")
        self.wire = Wire(like, self.teacher.timeout, trust, proxy)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.wire.close()
        await self.api.close()

    async def ask(self, request: Request) -> Answer:
        """Send a request once.

        Raises:
            TransientError: another try may help.
            TeacherError: none will.
        """
        try:
            reply = await self.wire.post(request.body)
        except httpx2.TransportError as error:
            return self.failed(error)
        if 200 <= reply.status < 300:  # noqa: PLR2004 - success
            return self._read(reply.content)
        return self.status(reply.status, _body(reply.content), _seconds(reply.headers))

    def _read(self, content: bytes) -> Answer:
        """An answer; some routers put an error of the provider behind them into one."""
        try:
            return read_answer(content)
        except TransientError:
            body = _body(content)
            error = body.get("error") if isinstance(body, dict) and "choices" not in body else None
            if not error:
                raise
            code: object = error.get("code") if isinstance(error, dict) else 0
            known = isinstance(code, int) and 400 <= code < 600  # noqa: PLR2004 - of HTTP
            return self.status(cast("int", code) if known else 500, body)

    def failed(self, error: Exception) -> Answer:
        """Raise what an error of the client comes to; a filtered prompt is an answer."""
        cause = error if isinstance(error, httpx2.TransportError) else error.__cause__
        if isinstance(cause, httpx2.TimeoutException):
            if isinstance(cause, httpx2.ConnectTimeout):
                raise self._transient("no connection in time", paid=False, reached=False)
            words = f"no answer within {self.teacher.timeout:g} s"
            raise self._transient(words, paid=True, crowded=True)
        if isinstance(error, openai.APIStatusError):
            wait = _seconds(error.response.headers)
            return self.status(error.status_code, error.body or error.response.text, wait)
        unreached = isinstance(cause, httpx2.ConnectError | httpx2.UnsupportedProtocol)
        raise self._transient(str(cause or error), paid=not unreached, reached=not unreached)

    def _transient(self, words: str, **kinds: Any) -> TransientError:  # noqa: ANN401 - of the error
        return TransientError(redacted(words, self.teacher.secrets()), **kinds)

    def status(self, status: int, body: object, wait: float = 0.0) -> Answer:
        """Raise what a status other than 200 comes to; an unfit prompt is an answer.

        Args:
            status: of HTTP.
            body: of the response, as JSON values or as text.
            wait: seconds that the endpoint asks to wait.

        Raises:
            TransientError: another try may help.
            TeacherError: none will.
        """
        code, said = _told(body)
        said = redacted(said, self.teacher.secrets())
        where = f"{self.teacher.where}, model {self.teacher.model!r}"
        if code == "content_filter":
            return Answer("", "filtered", self.teacher.model, 0, 0)
        if self.given and status in {400, 413} and (code in TOO_LONG or _TOO_LONG.search(said)):
            return Answer("", "too_long", self.teacher.model, 0, 0)
        if code in QUOTA or status == 402:  # noqa: PLR2004 - payment required
            raise TeacherError(
                f"{where}: the account has no quota left ({said}); add credit or choose another "
                "key, then run the same command again to resume"
            )
        if status in NOT_PAID | MAYBE_PAID or status > 529:  # noqa: PLR2004 - proxies' own
            raise TransientError(
                f"status {status} ({said})",
                paid=status not in NOT_PAID,
                crowded=status in CROWDED | MAYBE_PAID,
                wait=wait,
            )
        raise TeacherError(f"{where}: {self._advice(status)}; it said: {said} (status {status})")

    def _advice(self, status: int) -> str:
        if status in {401, 403}:
            name = self.teacher.key
            return f"the key in {name} is not accepted" if name else "the endpoint wants a key"
        if status == 404:  # noqa: PLR2004 - not found
            return "there is no such model, or the endpoint is not the base URL (…/v1) of an API"
        if 300 <= status < 400:  # noqa: PLR2004 - redirects
            return "it sends requests elsewhere; name the right endpoint in the recipe"
        return "it refuses a request; change the recipe, then run again"


def _told(body: object) -> tuple[str, str]:
    """The code and the message of an error body, whatever form it has."""
    if isinstance(body, dict):
        inner = body.get("error") if isinstance(body.get("error"), dict) else body
        told = cast("dict[str, object]", inner)
        code = told.get("code") or told.get("type") or ""
        return str(code), str(told.get("message") or told)
    return "", str(body)[:2000]


def _body(content: bytes) -> object:
    try:
        return loads(content)
    except ValueError:
        return content.decode("utf-8", "replace")


def _seconds(headers: Mapping[str, str]) -> float:
    """How long to wait, as `retry-after-ms` and `retry-after` say; 0 where they do not."""
    for name, unit in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        try:
            seconds = float(headers.get(name, "")) / unit
        except ValueError:
            continue
        if 0 <= seconds < float("inf"):
            return seconds
    return 0.0


def read_answer(content: object) -> Answer:
    """Read the body of a chat completion, packed or as JSON values.

    Raises:
        TransientError: it is none; it may have been charged.
    """
    try:
        body: Any = loads(content) if isinstance(content, bytes) else content
        choice = body["choices"][0]
        message = choice["message"]
        refusal, text = message.get("refusal"), message.get("content")
        if isinstance(text, list):  # parts, as some servers send them
            text = "".join(part.get("text") or "" for part in text if isinstance(part, dict))
        usage = body.get("usage") or {}
        model = body.get("model")
        counts = [usage.get(name) for name in ("prompt_tokens", "completion_tokens")]
        finish = choice.get("finish_reason")
    except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise TransientError(
            f"what came back is no chat completion ({type(error).__name__})", paid=True
        ) from error
    given, made = (one if type(one) is int and 0 <= one <= MOST_TOKENS else -1 for one in counts)
    outcome: Outcome = "complete"
    if finish == "content_filter":
        outcome = "filtered"
    elif refusal:
        outcome = "refused"
    elif finish == "length":
        outcome = "truncated"
    told = str(text or refusal or "")
    return Answer(_clean(told), outcome, _clean(str(model or "")), given, made)


def loads(content: bytes) -> Any:  # noqa: ANN401 - JSON
    """JSON, also such as only the standard library takes.

    Raises:
        ValueError: it is none.
    """
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:  # half a surrogate pair is JSON to others
        try:
            return json.loads(content)
        except RecursionError:
            raise ValueError("nested too deeply") from None


def _clean(text: str) -> str:
    """Half a surrogate pair becomes U+FFFD, which can be written."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
