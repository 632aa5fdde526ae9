"""The teacher keeps its own promises: what others measure against it must be right."""

import asyncio
import json
import socket
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from http.client import HTTPConnection
from itertools import pairwise
from time import monotonic, sleep
from urllib.parse import urlsplit

import openai
import pytest
from openai import AsyncOpenAI, OpenAI

from tests.servers.teacher import Faults, Teacher, TeacherSettings, body_digest
from tests.servers.teacher_answers import complete

PAIR = {"type": "object", "properties": {"q": {"type": "string"}, "a": {"type": "string"}}}
PARTS = {
    "pairs": {"type": "array", "minItems": 2, "maxItems": 4, "items": {"$ref": "#/$defs/pair"}},
    "kind": {"enum": ["short", "long"]},
    "version": {"const": 3},
    "score": {"type": "integer", "minimum": 1, "maximum": 5},
    "share": {"type": "number", "minimum": 0, "maximum": 1},
    "note": {"anyOf": [{"type": "string", "maxLength": 20}, {"type": "null"}]},
}
SCHEMA = {"type": "object", "properties": PARTS, "$defs": {"pair": PAIR}}
FORM = {"type": "json_schema", "json_schema": {"name": "pairs", "schema": SCHEMA, "strict": True}}
URL = "/v1/chat/completions"
PAIRS = "Please generate a series of questions and answers.\nQ: what is it?\nA: a thing"
TASKS = "Come up with a series of tasks:\n1. Sort a list.\n2. Name a tree.\n3."
ALPACA = "Come up with a set of 20 diverse task instructions.\n###\n4. Instruction:"


def chat(prompt: str, **more: object) -> dict[str, object]:
    return {"model": "m", "messages": [{"role": "user", "content": prompt}], **more}


def say(prompt: str, *, seed: int = 0, faults: Faults | None = None, **more: object) -> dict:
    """What a teacher of this seed answers, without a server."""
    body = chat(prompt, **more)
    return json.loads(complete(seed, body, body_digest(body), faults or Faults()).content)


def text_of(completion: Mapping) -> str:
    return completion["choices"][0]["message"]["content"]


@contextmanager
def client_of(teacher: Teacher, key: str = "sk-test") -> Iterator[OpenAI]:
    with OpenAI(base_url=teacher.url, api_key=key, max_retries=0, timeout=5) as client:
        yield client


def post(teacher: Teacher, body: object, **headers: str) -> tuple[int, Mapping[str, str], bytes]:
    """Ask by hand; a broken connection raises."""
    connection = HTTPConnection(urlsplit(teacher.url).netloc, timeout=5)
    try:
        connection.request("POST", URL, json.dumps(body), headers)
        response = connection.getresponse()
        return response.status, dict(response.getheaders()), response.read()
    finally:
        connection.close()


def test_one_seed_one_answer():
    """Two teachers of a seed agree on every body, whatever the order of its keys."""
    prompts = [PAIRS, TASKS, ALPACA, "Is it classification?", "Class label:", "hello"]
    with Teacher(3) as first, Teacher(3) as second, Teacher(4) as other:
        for body in map(chat, prompts):
            answer = post(first, body)[2]
            assert answer == post(second, dict(reversed(body.items())))[2]
        assert answer != post(other, body)[2]
        assert first.stats() == second.stats()
        assert first.stats()["bodies"] == {body_digest(chat(prompt)): 1 for prompt in prompts}


def test_openai_client_is_answered():
    """Text, model, tokens and the end of an answer arrive as the client's own types."""
    with Teacher() as teacher, client_of(teacher) as client:
        answer = client.chat.completions.create(**chat("hello", max_tokens=3))
        assert answer.model == "m"
        assert answer.choices[0].finish_reason == "length"
        assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (1 + 4, 3)
        whole = client.chat.completions.create(**chat("hello"))
        assert whole.choices[0].finish_reason == "stop"
        assert [model.id for model in client.models.list()] == ["teacher-1"]
        spent = answer.usage.completion_tokens + whole.usage.completion_tokens
        assert teacher.stats()["output_tokens"] == spent
        teacher.settings.usage = False
        assert client.chat.completions.create(**chat("hello")).usage is None


def test_chunked_and_pipelined_requests_are_read():
    """Two requests in one write, the first chunked, get two answers in order."""
    first, second = (json.dumps(chat(word)).encode() for word in ("one", "two"))
    head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n"
    chunks = b"5\r\n%b\r\n%x\r\n%b\r\n0\r\n\r\n" % (first[:5], len(first) - 5, first[5:])
    end = b"connection: close\r\ncontent-length: %d\r\n\r\n" % len(second)
    settings = TeacherSettings(latency=0.01)
    with (
        Teacher(settings=settings) as teacher,
        socket.create_connection(urlsplit(teacher.url).netloc.split(":")) as sock,
    ):
        sock.sendall(head + b"transfer-encoding: chunked\r\n\r\n" + chunks)
        sock.sendall(head + end + second)
        received = b"".join(iter(lambda: sock.recv(65536), b""))
    digests = [body_digest(chat(word)).encode() for word in ("one", "two")]
    places = [received.index(b"chatcmpl-" + digest) for digest in digests]
    assert (received.count(b"HTTP/1.1 200 OK"), places) == (2, sorted(places))


STATUSES = {"rate_limited": {429}, "rate_limited_silent": {429}, "server_error": {500, 503}}
STATUSES |= {"bad_body": {200}, "slow": {200}}


@pytest.mark.parametrize("name", STATUSES)
def test_fault_of_a_try_appears_as_told(name):
    """Each fault has its status, and is charged or not as told."""
    seen, charged = set(), name in {"bad_body", "slow"}
    with Teacher(faults=Faults(**{name: 1}, slow_seconds=0.02)) as teacher:
        for number in range(8):
            status, headers, content = post(teacher, chat(f"try {number}"))
            seen.add(status)
            assert ("retry-after" in headers) == (name == "rate_limited")
            assert content.startswith(b"{") == (name != "bad_body")
            if status != 200:
                assert json.loads(content)["error"].keys() == {"message", "type", "param", "code"}
        stats = teacher.stats()
    assert seen == STATUSES[name]
    assert stats["charged"] == (8 if charged else 0)
    assert stats["lost"] == (8 if name == "bad_body" else 0)
    assert bool(stats["bodies"]) == (name == "slow")


def test_reset_is_charged_and_cuts_the_body():
    """The client sees the connection break, the teacher has charged."""
    with Teacher(faults=Faults(reset=1)) as teacher, client_of(teacher) as client:
        for number in range(6):
            with pytest.raises(openai.APIConnectionError):
                client.chat.completions.create(**chat(f"try {number}"))
        stats = teacher.stats()
    assert (stats["charged"], stats["lost"], stats["by_status"]) == (6, 6, {"reset": 6})
    assert not stats["bodies"]


def test_faults_follow_their_shares_and_pass_with_tries():
    """A fault's share is kept, and a body that failed is answered when asked often enough."""
    with Teacher(5, Faults(rate_limited=0.2, server_error=0.3)) as teacher:
        statuses = Counter(post(teacher, chat(f"body {number}"))[0] for number in range(400))
        assert 50 < statuses[429] < 110
        assert 85 < statuses[500] + statuses[503] < 155
        assert 200 in {post(teacher, chat("again"))[0] for _ in range(30)}
        teacher.faults = Faults()
        assert {post(teacher, chat(f"body {number}"))[0] for number in range(20)} == {200}


def test_faults_of_a_body():
    """What is wrong with the answer of a body is in its message, its end or its model."""
    cut, filtered = (say("hello", faults=Faults(**{name: 1})) for name in ("truncated", "filtered"))
    assert cut["choices"][0]["finish_reason"] == "length"
    assert filtered["choices"][0]["finish_reason"] == "content_filter"
    assert text_of(say("hello")).startswith(text_of(cut))
    message = say("hello", faults=Faults(refused=1))["choices"][0]["message"]
    assert (message["content"], bool(message["refusal"])) == (None, True)
    assert len({text_of(say(text, faults=Faults(duplicate=1))) for text in (PAIRS, TASKS)}) == 1
    assert say("hello", faults=Faults(wrong_model=1))["model"] != "m"
    for number in range(10):
        text = text_of(say(str(number), response_format=FORM, faults=Faults(wrong_json=1)))
        with pytest.raises(json.JSONDecodeError):
            json.loads(text)


def test_every_fault_has_a_test():
    """The faults tested above are all there are."""
    known = {"wrong_json", "truncated", "duplicate", "refused", "filtered", "wrong_model"}
    known |= STATUSES.keys() | {"reset", "retry_after", "slow_seconds"}
    assert {field.name for field in fields(Faults)} == known


def test_accounts_add_up_under_load():
    """Requests, charges and whole answers agree with what the clients saw."""
    faults = Faults(rate_limited=0.1, server_error=0.1, reset=0.1, bad_body=0.1)

    async def ask(client: AsyncOpenAI, number: int) -> bool:
        try:
            answer = await client.chat.completions.create(**chat(f"body {number % 40}"))
        except (openai.APIError, json.JSONDecodeError):
            return False
        return not isinstance(answer, str)  # where the body is HTML

    async def ask_all(url: str) -> int:
        async with AsyncOpenAI(base_url=url, api_key="k", max_retries=0) as client:
            return sum(await asyncio.gather(*(ask(client, number) for number in range(120))))

    with Teacher(2, faults, settings=TeacherSettings(latency=0.01)) as teacher:
        whole = asyncio.run(ask_all(teacher.url))
        stats = teacher.stats()
    assert stats["requests"] == 120 == sum(stats["by_status"].values())
    assert 0 < whole == sum(stats["bodies"].values())
    assert stats["charged"] == whole + stats["lost"]
    assert stats["most_at_once"] > 1


def test_client_that_leaves_has_paid():
    """An answer no longer waited for is charged and lost."""
    with Teacher(settings=TeacherSettings(latency=5)) as teacher:
        with pytest.raises(openai.APITimeoutError), client_of(teacher) as client:
            client.with_options(timeout=0.3).chat.completions.create(**chat("hello"))
        end = monotonic() + 2
        while not teacher.stats()["lost"] and monotonic() < end:
            sleep(0.01)
        stats = teacher.stats()
    assert (stats["charged"], stats["lost"], stats["by_status"]) == (1, 1, {"gone": 1})


def test_limits_refuse():
    """More at once, more in a minute and more than the quota are refused with 429."""

    async def ask_all(url: str) -> list[object]:
        async with AsyncOpenAI(base_url=url, api_key="k", max_retries=0) as client:
            asked = (client.chat.completions.create(**chat(str(number))) for number in range(8))
            return await asyncio.gather(*asked, return_exceptions=True)

    with Teacher(settings=TeacherSettings(latency=0.4, concurrency=3)) as teacher:
        answers = asyncio.run(ask_all(teacher.url))
        assert teacher.stats()["by_status"].keys() == {"200", "429"}
    refused = [answer for answer in answers if isinstance(answer, openai.RateLimitError)]
    assert 1 <= len(refused) <= 5
    assert all("retry-after" in error.response.headers for error in refused)
    with Teacher(settings=TeacherSettings(requests_per_minute=2)) as teacher:
        replies = [post(teacher, chat("hello")) for _ in range(3)]
    assert [status for status, *_ in replies] == [200, 200, 429]
    assert 50 < float(replies[-1][1]["retry-after"]) <= 60
    with Teacher(settings=TeacherSettings(quota=1)) as teacher, client_of(teacher) as client:
        client.chat.completions.create(**chat("hello"))
        with pytest.raises(openai.RateLimitError) as caught:
            client.chat.completions.create(**chat("hello"))
    assert caught.value.code == "insufficient_quota"


def test_refused_requests():
    """Keys, models, schemas, long prompts and odd bodies are refused as OpenAI refuses them."""
    settings = TeacherSettings(key="sk-right", models=("m",), structured=False, context=20)
    cases = {
        "model_not_found": (404, chat("hello", model="other")),
        "context_length_exceeded": (400, chat("long " * 40)),
        None: (400, chat("hello", response_format=FORM)),
    }
    with Teacher(settings=settings) as teacher:
        with client_of(teacher, "sk-wrong") as client:
            with pytest.raises(openai.AuthenticationError, match="sk-wrong") as caught:
                client.chat.completions.create(**chat("hello"))
            with pytest.raises(openai.AuthenticationError):
                client.batches.list()
        assert caught.value.code == "invalid_api_key"
        with client_of(teacher, "sk-right") as client:
            client.chat.completions.create(**chat("hello"))
            for code, (status, body) in cases.items():
                with pytest.raises(openai.APIStatusError) as caught:
                    client.chat.completions.create(**body)
                assert (caught.value.status_code, caught.value.code) == (status, code)
        key = {"authorization": "Bearer sk-right"}
        for odd in ([], {}, chat("x", messages=[]), chat("x", messages=[{"content": 5}])):
            assert post(teacher, odd, **key)[0] == 400
        assert teacher.stats()["charged"] == 1


def test_schema_is_kept():
    """An answer to a schema is an instance of it."""
    for number in range(20):
        value = json.loads(text_of(say(f"{PAIRS} {number}", response_format=FORM)))
        assert value.keys() == SCHEMA["properties"].keys()
        assert 2 <= len(value["pairs"]) <= 4
        assert all(pair.keys() == {"q", "a"} for pair in value["pairs"])
        assert (value["kind"] in {"short", "long"}, value["version"]) == (True, 3)
        assert 0 <= value["share"] <= 1 <= value["score"] <= 5
        assert len(value["note"]) <= 20


def test_texts_have_the_form_of_their_prompt():
    """Pairs, numbered tasks, Alpaca items and labels look as the methods' readers expect."""
    for seed in range(20):
        pairs = text_of(say(PAIRS, seed=seed))
        assert 3 <= pairs.count("Q: ") == pairs.count("\nA: ") <= 8
        tasks = text_of(say(TASKS, seed=seed)).split("\n")
        assert not tasks[0].startswith("3.")
        numbers = [int(task.partition(".")[0]) for task in tasks[1:]]
        assert numbers == list(range(4, 17))[: len(numbers)]
        items = text_of(say(ALPACA, seed=seed)).split("\n###\n")
        assert len(items) == 17
        assert sum(item.count("Instruction:") for item in items) == 16
        assert text_of(say("Is it classification?", seed=seed)).strip(".").lower() in {"yes", "no"}
        assert text_of(say("Class label:", seed=seed)).startswith("Class label: ")
        assert "Output:" in text_of(say("Example 1\nInput: a\nOutput: b", seed=seed))
        assert "\n" not in text_of(say(TASKS, seed=seed, stop=["\n"]))


def submit(client: OpenAI, bodies: list[dict], **more: object) -> openai.types.Batch:
    line = {"method": "POST", "url": URL}
    rows = [line | {"custom_id": f"row-{n}", "body": body} for n, body in enumerate(bodies)]
    content = "".join(json.dumps(row) + "\n" for row in rows).encode()
    file = client.files.create(file=("rows.jsonl", content), purpose="batch")
    assert client.files.content(file.id).content == content
    return create(client, file.id, **more)


def create(client: OpenAI, file_id: str, **more: object) -> openai.types.Batch:
    more |= {"input_file_id": file_id, "completion_window": "24h"}
    return client.batches.create(endpoint=URL, **more)


def follow(client: OpenAI, batch: openai.types.Batch) -> tuple[openai.types.Batch, list[str]]:
    """Wait for the end of a batch; the states seen on the way, each once."""
    seen = [batch.status]
    end = monotonic() + 5
    while seen[-1] not in {"completed", "expired", "cancelled", "failed"} and monotonic() < end:
        batch = client.batches.retrieve(batch.id)
        seen += [batch.status] if batch.status != seen[-1] else []
        sleep(0.005)
    return batch, seen


def lines_of(client: OpenAI, file_id: str | None) -> list[dict]:
    text = client.files.content(file_id).text if file_id else ""
    return [json.loads(line) for line in text.splitlines()]


def test_batch_round_trip():
    """A batch goes through its states; its answers are those of the chat, in another order."""
    bodies = [chat(f"row {number}") for number in range(30)]
    with Teacher() as teacher, client_of(teacher) as client:
        batch, seen = follow(client, submit(client, bodies, metadata={"part": "1"}))
        assert (seen[0], seen[-1]) == ("validating", "completed")
        assert batch.created_at <= batch.in_progress_at <= batch.finalizing_at <= batch.completed_at
        assert batch.metadata == {"part": "1"}
        assert batch.request_counts.model_dump() == {"total": 30, "completed": 30, "failed": 0}
        lines = lines_of(client, batch.output_file_id)
        order = [int(line["custom_id"].removeprefix("row-")) for line in lines]
        assert sorted(order) == list(range(30))
        assert any(left > right for left, right in pairwise(order))
        for place, line in zip(order, lines, strict=True):
            assert (line["error"], line["response"]["status_code"]) == (None, 200)
            assert line["response"]["body"] == json.loads(post(teacher, bodies[place])[2])
        stats = teacher.stats(bodies=False)
        assert (stats["batch_charged"], stats["charged"], stats["requests"]) == (30, 60, 30)
        client.files.delete(batch.output_file_id)
        with pytest.raises(openai.NotFoundError):
            client.files.content(batch.output_file_id)


@pytest.mark.parametrize("name", ["batch_expires", "batch_fail"])
def test_batch_that_is_not_all_answered(name):
    """What expired or failed is in the error file; asked again often enough, all is answered."""
    settings = TeacherSettings(batch_seconds=0.01, **{name: 0.4})
    left, rounds = [chat(f"row {number}") for number in range(40)], 0
    with Teacher(settings=settings) as teacher, client_of(teacher) as client:
        while left and (rounds := rounds + 1) < 20:
            batch, _ = follow(client, submit(client, left))
            good = lines_of(client, batch.output_file_id)
            bad = lines_of(client, batch.error_file_id)
            counts = batch.request_counts
            assert (counts.total, counts.completed) == (len(good) + len(bad), len(good))
            expired = bool(bad) and name == "batch_expires"
            assert batch.status == ("expired" if expired else "completed")
            for line in bad:
                code = (line["error"] or line["response"]["body"]["error"])["code"]
                assert code == ("batch_expired" if expired else None)
                assert (line["response"] or {}).get("status_code") == (None if expired else 500)
            left = [left[int(line["custom_id"].removeprefix("row-"))] for line in bad]
        assert (left, rounds > 1) == ([], True)
        assert teacher.stats()["batch_charged"] == teacher.stats()["charged"] == 40


def test_batches_are_listed_cancelled_and_checked():
    """A list goes page by page, newest first; a cancelled batch ends; bad lines fail it whole."""
    with Teacher() as teacher, client_of(teacher) as client:
        teacher.settings.batch_seconds = 0.01
        made = [follow(client, submit(client, [chat(str(n))]))[0].id for n in range(5)]
        page = client.batches.list(limit=2)
        assert ([batch.id for batch in page.data], page.has_more) == (made[:-3:-1], True)
        assert [batch.id for batch in client.batches.list(limit=2)] == made[::-1]
        with pytest.raises(openai.ConflictError):
            client.batches.cancel(made[0])
        file = client.files.create(file=("bad.jsonl", b'{"custom_id": "a"}\nno\n'), purpose="batch")
        failed, _ = follow(client, create(client, file.id))
        assert failed.status == "failed"
        assert [error.line for error in failed.errors.data] == [1, 2]
        teacher.settings.batch_seconds = 1
        batch = submit(client, [chat(f"row {number}") for number in range(200)])
        while not client.batches.retrieve(batch.id).request_counts.completed:
            sleep(0.01)
        assert client.batches.cancel(batch.id).status == "cancelling"
        batch, _ = follow(client, batch)
        assert batch.status == "cancelled"
        assert 0 < len(lines_of(client, batch.output_file_id)) < 200
