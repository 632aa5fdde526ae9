"""Files and batches of the loopback teacher."""

import asyncio
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from random import Random
from time import time
from typing import Any
from urllib.parse import parse_qs

import orjson

from tests.servers.teacher_answers import body_digest, draw
from tests.servers.teacher_rules import MALFORMED, Reply, Request, parse_json, problem, refuse_body

FINAL = {"completed", "expired", "cancelled", "failed"}
PART = re.compile(rb'name="([^"]*)"(?:.*?filename="([^"]*)")?', re.DOTALL)


@dataclass
class Store:
    """Files and batches, kept in memory by id, oldest first."""

    teacher: Any  # the Teacher, which imports this module
    files: dict[str, dict[str, object]] = field(default_factory=dict)
    contents: dict[str, bytes] = field(default_factory=dict)
    batches: dict[str, dict[str, object]] = field(default_factory=dict)
    running: set[asyncio.Task[None]] = field(default_factory=set)
    made: int = 0

    def answer(self, request: Request) -> Reply:
        """Answer a request for files or batches."""
        _, _, kind, *rest = (*request.path.split("/"), "", "")[:6]
        name, verb, *_ = (*rest, "", "")
        if kind == "batches" and not self.teacher.settings.batches:
            return problem(404, f"Invalid URL ({request.method} {request.path})")
        key = (request.method, kind, bool(name), verb)
        if key == ("POST", "files", False, ""):
            return self._upload(request)
        if key == ("POST", "batches", False, ""):
            return self._create(request)
        if kind in {"files", "batches"} and request.method == "GET" and not name:
            return self._list(self.files if kind == "files" else self.batches, request)
        if kind in {"files", "batches"} and name:
            return self._one(request.method, kind, name, verb)
        return problem(404, f"Invalid URL ({request.method} {request.path})", code="unknown_url")

    def _one(self, method: str, kind: str, name: str, verb: str) -> Reply:
        known = self.files if kind == "files" else self.batches
        if name not in known:
            return problem(404, f"No such {kind[:-1].title()} object: {name}", param="id")
        match method, kind, verb:
            case "GET", "files", "content":
                return Reply(200, self.contents[name], kind="application/octet-stream")
            case "GET", _, "":
                return Reply.of(known[name])
            case "DELETE", "files", "":
                del self.files[name], self.contents[name]
                return Reply.of({"id": name, "object": "file", "deleted": True})
            case "POST", "batches", "cancel":
                return self._cancel(known[name])
        return problem(405, f"Not allowed to {method} {verb}")

    def _list(self, known: Mapping[str, Mapping[str, object]], request: Request) -> Reply:
        """List the newest first, `limit` of them from the one behind `after`."""
        query = {name: values[-1] for name, values in parse_qs(request.query).items()}
        names = list(reversed(known))
        start = names.index(query["after"]) + 1 if query.get("after") in known else 0
        end = start + int(query.get("limit", 20))
        page = [known[name] for name in names[start:end]]
        ends = {"first_id": page[0]["id"], "last_id": page[-1]["id"]} if page else {}
        return Reply.of({"object": "list", "data": page, **ends, "has_more": end < len(names)})

    def keep(self, content: bytes, filename: str, purpose: str) -> dict[str, object]:
        """Keep a file and describe it as OpenAI does."""
        name = self._name("file-")
        self.contents[name] = content
        self.files[name] = {
            "id": name,
            "object": "file",
            "bytes": len(content),
            "created_at": int(time()),
            "filename": filename,
            "purpose": purpose,
            "status": "processed",
        }
        return self.files[name]

    def _name(self, prefix: str) -> str:
        self.made += 1
        return f"{prefix}{int(draw(self.teacher.seed, 'name', self.made) * 2**48):012x}"

    def _upload(self, request: Request) -> Reply:
        fields = parse_form(request)
        purpose = fields.get("purpose", (b"", ""))[0].decode()
        if "file" not in fields:
            return problem(400, "'file' is a required property", param="file")
        if purpose != "batch":
            return problem(400, f"'{purpose}' is not one of ['batch']", param="purpose")
        return Reply.of(self.keep(*fields["file"], purpose))

    def _create(self, request: Request) -> Reply:
        asked = orjson.loads(request.content or b"{}")
        source = asked.get("input_file_id")
        if source not in self.files:
            return problem(400, f"No such File object: {source}", param="input_file_id")
        if asked.get("endpoint") != "/v1/chat/completions":
            return problem(400, "Invalid value for 'endpoint'.", param="endpoint")
        if asked.get("completion_window") != "24h":
            return problem(400, "Invalid value for 'completion_window'.", param="completion_window")
        batch = {
            "id": self._name("batch_"),
            "object": "batch",
            "endpoint": asked["endpoint"],
            "errors": None,
            "input_file_id": source,
            "completion_window": "24h",
            "status": "validating",
            "output_file_id": None,
            "error_file_id": None,
            "created_at": int(time()),
            "expires_at": int(time()) + 86400,
            "request_counts": {"total": 0, "completed": 0, "failed": 0},
            "metadata": asked.get("metadata"),
        }
        self.batches[batch["id"]] = batch
        settings = self.teacher.settings
        task = asyncio.get_running_loop().create_task(self._run(batch))
        self.running.add(task)
        task.add_done_callback(self.running.discard)
        reply = Reply.of(batch)
        if settings.batch_cuts:
            settings.batch_cuts -= 1
            reply.cut = "body"
        return reply

    def _cancel(self, batch: dict[str, object]) -> Reply:
        if batch["status"] in FINAL:
            message = f"Cannot cancel a batch with status '{batch['status']}'."
            return problem(409, message)
        _step(batch, "cancelling")
        return Reply.of(batch)

    async def _run(self, batch: dict[str, object]) -> None:
        """Take a batch from validating to its end; most of its time is spent in progress."""
        seconds = self.teacher.settings.batch_seconds
        await asyncio.sleep(seconds * 0.1)
        lines, errors = read_lines(self.contents.get(batch["input_file_id"], b""))
        running = (one for one in self.batches.values() if one["status"] == "in_progress")
        waiting = len(lines) + sum(one["request_counts"]["total"] for one in running)
        if (most := self.teacher.settings.batch_requests) is not None and waiting > most:
            message = f"Enqueued token limit reached: {waiting} requests of {most}."
            errors.append({"code": "token_limit_exceeded", "line": None, "message": message})
        if errors:
            batch["errors"] = {"object": "list", "data": errors}
            _step(batch, "failed")
            return
        counts = batch["request_counts"]
        counts["total"] = len(lines)
        if batch["status"] == "validating":
            _step(batch, "in_progress")
        done: list[dict[str, object]] = []
        pause = seconds * 0.8 / -(-len(lines) // CHUNK)
        for start in range(0, len(lines), CHUNK):
            await asyncio.sleep(pause)
            if batch["status"] == "cancelling":
                break
            for line in lines[start : start + CHUNK]:
                done.append(self._do(line))
                counts["completed" if _went_well(done[-1]) else "failed"] += 1
        if batch["status"] == "in_progress":
            _step(batch, "finalizing")
        await asyncio.sleep(seconds * 0.1)
        self._finish(batch, done)

    def _do(self, line: Mapping[str, object]) -> dict[str, object]:
        """Answer one request of a batch, or let it expire or fail."""
        teacher, body = self.teacher, line["body"]
        digest = body_digest(body)
        number = teacher.tally.try_number(f"batch/{digest}")
        answered = {"id": f"batch_req_{digest}", "custom_id": line["custom_id"]}
        if draw(teacher.seed, digest, number, "expires") < teacher.settings.batch_expires:
            return answered | {"response": None, "error": EXPIRED}
        if draw(teacher.seed, digest, number, "fails") < teacher.settings.batch_fail:
            reply = problem(500, "The server had an error while processing your request.")
        else:
            reply = self._reply(body, digest)
        response = {
            "status_code": reply.status,
            "request_id": f"req_{digest}",
            "body": orjson.loads(reply.content),
        }
        return answered | {"response": response, "error": None}

    def _reply(self, body: Mapping[str, object], digest: str) -> Reply:
        try:
            if refusal := refuse_body(self.teacher, body):
                return refusal
            reply = Reply(200, self.teacher.charge(body, digest).content)
        except MALFORMED as error:
            return problem(400, f"Invalid body: {error!r}")
        self.teacher.tally.batch_charged += 1
        return reply

    def _finish(self, batch: dict[str, object], done: list[dict[str, object]]) -> None:
        """Write the two files, their lines in any order, and tell how the batch ended."""
        Random(f"{self.teacher.seed}/{len(done)}").shuffle(done)
        good = [line for line in done if _went_well(line)]
        bad = [line for line in done if not _went_well(line)]
        for key, lines in (("output", good), ("error", bad)):
            if lines:
                file = self.keep(join_lines(lines), f"{batch['id']}_{key}.jsonl", "batch_output")
                batch[f"{key}_file_id"] = file["id"]
        if batch["status"] == "cancelling":
            _step(batch, "cancelled")
        else:
            _step(batch, "expired" if any(line["error"] for line in bad) else "completed")


CHUNK = 50
EXPIRED = {
    "code": "batch_expired",
    "message": "This request could not be executed before the completion window expired.",
}


def _step(batch: dict[str, object], status: str) -> None:
    batch["status"] = status
    batch[f"{status}_at"] = int(time())


def _went_well(line: Mapping[str, object]) -> bool:
    return line["response"] is not None and line["response"]["status_code"] == 200


def join_lines(values: Iterable[object]) -> bytes:
    return b"".join(orjson.dumps(value) + b"\n" for value in values)


def parse_form(request: Request) -> dict[str, tuple[bytes, str]]:
    """Read a multipart form: content and file name by field."""
    boundary = request.headers.get("content-type", "").partition("boundary=")[2].strip('"')
    fields = {}
    for part in request.content.split(b"--" + boundary.encode())[1:-1]:
        head, _, content = part.partition(b"\r\n\r\n")
        if named := PART.search(head):
            filename = (named[2] or b"").decode()
            fields[named[1].decode()] = (content.removesuffix(b"\r\n"), filename)
    return fields


def read_lines(content: bytes) -> tuple[list[dict[str, object]], list[dict[str, object]]]:
    """Read the requests of a batch and what is wrong with them, as OpenAI lists it."""
    lines, errors, seen = [], [], set()
    for number, text in enumerate(content.splitlines(), start=1):
        code = ""
        line = parse_json(text)
        if not isinstance(line, dict):
            code, line = "invalid_json_line", {}
        key = line.get("custom_id")
        if not code and not (isinstance(key, str) and isinstance(line.get("body"), dict)):
            code = "missing_required_parameter"
        elif not code and key in seen:
            code = "duplicate_custom_id"
        elif not code and (line.get("url"), line.get("method")) != ("/v1/chat/completions", "POST"):
            code = "mismatched_endpoint"
        seen.add(key)
        lines.append(line)
        if code:
            message = f"Line {number}: {code}."
            errors.append({"code": code, "line": number, "message": message, "param": None})
    if not lines:
        errors.append({"code": "empty_file", "line": None, "message": "No lines.", "param": None})
    return lines, errors
