"""What the loopback teacher allows and refuses."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from tests.servers.teacher_answers import prompt_tokens


@dataclass
class TeacherSettings:
    """What the teacher allows; any of it may change while it runs.

    Attributes:
        latency: seconds before each answer; up to as much again is added, by body.
        key: the only API key that is let in, if any.
        models: known models; None knows any.
        concurrency: more chat requests at once than this are refused with 429.
        requests_per_minute: more than this within a minute are refused with 429.
        quota: after so many charged answers everything is refused as `insufficient_quota`.
        structured: take a `response_format` of type `json_schema`.
        usage: answers tell their tokens.
        context: a prompt of more tokens than this is refused.
        batch_seconds: how long a batch takes.
        batch_expires: share of a batch's requests that expire.
        batch_fail: share of a batch's requests that end with status 500.
        batch_requests: a batch fails when more than this would be waiting.
        batch_cuts: so many replies to the making of a batch break off.
        batches: whether there are any.
    """

    latency: float = 0
    key: str | None = None
    models: tuple[str, ...] | None = None
    concurrency: int | None = None
    requests_per_minute: int | None = None
    quota: int | None = None
    structured: bool = True
    usage: bool = True
    port: int = 0
    context: int | None = None
    batch_seconds: float = 0.1
    batch_expires: float = 0
    batch_fail: float = 0
    batch_requests: int | None = None
    batch_cuts: int = 0
    batches: bool = True


@dataclass(slots=True)
class Request:
    method: str
    path: str
    query: str
    headers: Mapping[str, str]  # names in lower case
    content: bytes = b""


@dataclass(slots=True)
class Reply:
    """An answer on its way.

    Attributes:
        headers: further header lines, each with its line end.
        delay: seconds to wait before it is sent.
        cut: if set, the connection breaks in the middle of the body; `hard` breaks by a reset.
        digest: names the chat body, if this is a whole answer to one.
        ended: called with the reply and `delivered`: False where the client had left.
    """

    status: int
    content: bytes
    headers: str = ""
    delay: float = 0
    cut: str = ""
    hard: bool = False
    charged: bool = False
    digest: str = ""
    ended: Callable[..., None] | None = None
    kind: str = "application/json"

    @classmethod
    def of(cls, value: object, status: int = 200) -> "Reply":
        return cls(status, orjson.dumps(value))


def problem(
    status: int, message: str, *, code: str | None = None, param: str | None = None, kind: str = ""
) -> Reply:
    """Refuse with OpenAI's error body."""
    kind = kind or ("invalid_request_error" if status < 429 else KINDS.get(status, "server_error"))
    error = {"message": message, "type": kind, "param": param, "code": code}
    return Reply.of({"error": error}, status)


KINDS = {429: "requests"}


def refuse_body(teacher: Any, body: object) -> Reply | None:
    """Refuse a body that OpenAI would refuse, or any once the quota is spent."""
    settings = teacher.settings
    if problem_found := find_problem(body):
        return problem(400, problem_found)
    if settings.models is not None and body["model"] not in settings.models:
        message = f"The model `{body['model']}` does not exist or you do not have access to it."
        return problem(404, message, code="model_not_found", param="model")
    form = body.get("response_format") or {}
    if not settings.structured and form.get("type") == "json_schema":
        message = "Invalid parameter: 'response_format' of type 'json_schema' is not supported."
        return problem(400, message, param="response_format")
    if settings.context is not None and (asked := prompt_tokens(body)) > settings.context:
        message = (
            f"This model's maximum context length is {settings.context} tokens. "
            f"However, your messages resulted in {asked} tokens."
        )
        return problem(400, message, code="context_length_exceeded", param="messages")
    if settings.quota is not None and teacher.tally.charged >= settings.quota:
        message = "You exceeded your current quota, please check your plan and billing details."
        return problem(429, message, code="insufficient_quota", kind="insufficient_quota")
    return None


MALFORMED = (AttributeError, LookupError, TypeError, ValueError)  # raised by a body of odd shape


def parse_json(content: bytes) -> object:
    """Parse JSON; what is none comes back as None."""
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        return None


def find_problem(body: object) -> str:
    """Say in words why a chat body cannot be answered; empty if it can."""
    if not isinstance(body, dict):
        return "We could not parse the JSON body of your request."
    if not isinstance(body.get("model"), str):
        return "you must provide a model parameter"
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        return "Missing required parameter: 'messages'."
    if not all(isinstance(message, dict) for message in messages):
        return "Invalid type for 'messages': expected an array of objects."
    return "Streaming is not served here." if body.get("stream") else ""
