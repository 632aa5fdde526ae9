"""What endpoints, journals and rows must not be able to do."""

import json
import os
import signal
import sqlite3
import threading
import time
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import orjson
import pytest

from imitation_data import build, load
from imitation_data.errors import StoreError, TeacherError
from imitation_data.generate.batch_lines import Lines
from imitation_data.generate.budget import Budget, Ceiling, Cost
from imitation_data.generate.client import Client, TransientError, loads, read_answer
from imitation_data.generate.given import Given
from imitation_data.generate.journal import Journal
from imitation_data.generate.journal_batches import InBatch
from imitation_data.generate.journal_lines import add_lines, lines_of
from imitation_data.generate.labels import Labels
from imitation_data.generate.redact import redacted
from imitation_data.generate.request import Request
from imitation_data.generate.teacher import Teacher as Asked
from imitation_data.generation import Orders, generate
from imitation_data.versions.store import Store
from tests.generate.test_given import recipe_of, talk, write
from tests.servers.teacher import Teacher, TeacherSettings

MANY = Ceiling(requests=100_000)
WHOLE = {"choices": [{"message": {"content": "x"}, "finish_reason": "stop"}], "model": "m"}


@contextmanager
def endpoint(status, content):
    """A server that answers everything alike."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers.get("content-length", 0)))
            self.send_response(status)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def do_GET(self):
            self.do_POST()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"<html>hello</html>", "no chat completion.*look at the endpoint"),
        (b"[" * 200_000, "no chat completion.*look at the endpoint"),
        (b'{"error": {"message": "no such thing", "code": 404}}', "no such model"),
        (b'{"error": {"message": "out of credit", "code": 402}}', "out of credit"),
    ],
)
def test_an_endpoint_that_speaks_something_else(content, says, tmp_path):
    """The run ends with an error that names what came, not with no rows and no word."""
    write(tmp_path / "rows.jsonl", [{"prompt": "q"}, {"prompt": "p"}])
    with endpoint(200, content) as url:
        recipe = recipe_of(tmp_path, url, "answers", {})
        orders = Orders(ceiling=Ceiling(requests=3))
        with pytest.raises(TeacherError, match=f"(?s){says}"):
            generate(recipe, Store(tmp_path / "s"), orders)


@pytest.mark.parametrize("content", [b"<html>", b"[]", b"null", b"{}", b'{"id": null}', b""])
def test_an_endpoint_whose_batches_are_none(content, tmp_path):
    write(tmp_path / "rows.jsonl", [{"prompt": "q"}])
    with endpoint(200, content) as url:
        recipe = recipe_of(tmp_path, url, "answers", {})
        with pytest.raises(TeacherError, match="not of the Batch API"):
            generate(recipe, Store(tmp_path / "s"), Orders(ceiling=MANY, batch=True))


@pytest.mark.parametrize("count", [2**63, 10**13, -1, 1.5, None, "7", True])
def test_counts_that_cannot_be(count):
    """They are taken for not told."""
    usage = {"prompt_tokens": count, "completion_tokens": 3}
    assert read_answer(orjson.dumps(WHOLE | {"usage": usage})).input_tokens == -1


def test_json_without_end():
    with pytest.raises(ValueError, match="too deeply"):
        loads(b"[" * 200_000)
    with pytest.raises(TransientError):
        read_answer(b"[" * 200_000)


def test_half_a_surrogate_pair_in_a_batch():
    """The answer that was paid for is kept, as a live one is."""
    request = Request(b"{}", "k", 5, 5)
    asked = {"k": InBatch(request, 0, 1, Cost(0, 10))}
    client = Client(Asked("m", "http://127.0.0.1:9/v1", key=""))
    lines = Lines(client, Budget(Ceiling(), None), asked, "completed")
    body = {"choices": [{"message": {"content": "a\ud83d"}}], "model": "m"}
    response = {"status_code": 200, "body": body}
    lines.read(json.dumps({"custom_id": "k", "response": response}).encode())
    (found,) = lines.found
    assert found.answer.text == "a\ufffd"


def test_a_live_run_beside_a_batch_pays_for_nothing_twice(tmp_path):
    """Also for requests that it comes to only after an answer."""
    chat = talk(("user", "one"), ("assistant", "-"), ("user", "two"), ("assistant", "-"))
    write(tmp_path / "a.jsonl", [chat])
    write(tmp_path / "b.jsonl", [talk(("user", "new"), ("assistant", "-")), chat])
    settings = TeacherSettings(batch_seconds=0.2)
    with Teacher(1, settings=settings) as teacher:
        first = recipe_of(tmp_path, teacher.url, "answers", {"turns": "every"}, "a.jsonl")

        def stop():
            while len(teacher.store.batches) < 1:
                time.sleep(0.01)
            settings.batch_seconds = 30  # of the second round
            while len(teacher.store.batches) < 2:
                time.sleep(0.01)
            os.kill(os.getpid(), signal.SIGINT)

        threading.Thread(target=stop).start()
        with pytest.raises(KeyboardInterrupt):
            generate(first, Store(tmp_path / "s"), Orders(ceiling=MANY, batch=True))
        second = recipe_of(tmp_path, teacher.url, "answers", {"turns": "every"}, "b.jsonl")
        with pytest.raises(TeacherError, match="paid for twice"):
            generate(second, Store(tmp_path / "s"), Orders(ceiling=MANY))
        bodies = teacher.stats()["bodies"]
    assert sum(bodies.values()) == 1  # the new row; the first round came in the batch


@pytest.mark.parametrize(
    "said",
    [
        '{"label": null, "closest": "coding"}',
        '{"not": "coding"}',
        '{"rejected": "coding", "category": "maybe"}',
        '{"label": "coding"} or {"label": "chat"}',
        '```json\n{"label": "coding"}\n```\n```json\n{"label": "chat"}\n```',
        '{"label": "coding"}\n\nWait, on reflection: {"label": "chat"}',
        "coding\nchat\nIt could be either.",
        "coding\nNo, that is wrong: chat",
        "Certainly not:\ncoding",
        "coding?\nNo.",
        "It is not coding.",
        "none of them",
    ],
)
def test_no_label_is_made_of_an_answer_that_leaves_it_open(said):
    assert _labels("coding", "chat", "C++").label_in(said) is None


@pytest.mark.parametrize(
    ("said", "label"),
    [
        ("Answer extraction", "Answer extraction"),
        ("Answer: Extraction", "Extraction"),
        ("<think>\nchat? No, coding.\n</think>\nExtraction", "Extraction"),
        ('{"category": "extraction"}', "Extraction"),
        ("Extraction\n\nA program or a script is wanted.", "Extraction"),
    ],
)
def test_a_label_that_is_told(said, label):
    assert _labels("Answer extraction", "Extraction", "chat").label_in(said) == label


def _labels(*names):
    options = Labels(dict.fromkeys(names, ""))
    return options.start(Asked("m", "http://127.0.0.1:9/v1", key=""), Given(lambda: iter(())))


@pytest.mark.parametrize(
    ("turns", "roles", "made"),
    [
        ("last", "us", "usa"),
        ("last", "usa", "usa"),
        ("last", "uaus", "uausa"),
        ("every", "usaua", "usaua"),
        ("every", "suaus", "suausa"),
        ("every", "auua", "auua"),
        ("every", "uasua", "uasua"),
        ("every", "uas", "ua"),
        ("last", "uas", "ua"),
    ],
)
def test_system_turns_stay_where_they_stand(turns, roles, made, tmp_path):
    """None of them vanishes, but for one behind the last answer, which is in the ledger."""
    names = {"u": "user", "s": "system", "a": "assistant"}
    rows = [talk(*((names[one], f"{one}{place}") for place, one in enumerate(roles)))]
    write(tmp_path / "rows.jsonl", rows)
    with Teacher(1) as teacher:
        recipe = recipe_of(tmp_path, teacher.url, "answers", {"turns": turns})
        built = build(recipe, store=tmp_path / "s", workers=1, orders=Orders(ceiling=MANY))
    (row,) = load(f"given@{built.stored.version}", store=tmp_path / "s")["train"]
    found = [turn["role"][0] for turn in row["messages"]]
    assert "".join(found) == made
    edits = built.stored.manifest["steps"][0]["edits"]
    assert edits.get("system_turn_left_out", 0) == roles.count("s") - made.count("s")
    anew = roles[roles.rindex("u") if turns == "last" else roles.index("u") :].count("a")
    assert edits.get("answer_replaced", 0) == anew


def test_answers_that_were_imported_are_taken_without_a_ceiling(tmp_path):
    """A source that stopped at a ceiling goes as far as the journal reaches."""
    write(tmp_path / "rows.jsonl", [{"prompt": f"q{number}"} for number in range(20)])
    with Teacher(1) as teacher:
        recipe = recipe_of(tmp_path, teacher.url, "answers", {})
        generate(recipe, Store(tmp_path / "all"), Orders(ceiling=MANY))
        generate(recipe, Store(tmp_path / "few"), Orders(ceiling=Ceiling(requests=5)))
        assert build(recipe, store=tmp_path / "few", workers=1).kept == 5
        with Journal(tmp_path / "all" / "journal.sqlite") as journal:
            lines = list(lines_of(journal))
        with Journal(tmp_path / "few" / "journal.sqlite") as journal:
            assert add_lines(journal, lines, "lines") == (15, 5)
        assert build(recipe, store=tmp_path / "few", workers=1).kept == 20


@pytest.mark.parametrize("key", ["abcdef123456 ", "abcdef123456\n", "\tabcdef123456\r\n"])
def test_a_key_with_white_space_around_it_is_hidden(key, monkeypatch):
    monkeypatch.setenv("MY_KEY", key)
    teacher = Asked("m", key="MY_KEY")
    assert "abcdef" not in redacted("you sent abcdef123456 here", teacher.secrets())


@pytest.mark.parametrize("harm", ["bytes", "table", "type"])
def test_a_damaged_journal_is_told_as_such(harm, tmp_path):
    write(tmp_path / "rows.jsonl", [{"prompt": f"q{number}"} for number in range(400)])
    path = tmp_path / "s" / "journal.sqlite"
    with Teacher(1) as teacher:
        recipe = recipe_of(tmp_path, teacher.url, "answers", {})
        generate(recipe, Store(tmp_path / "s"), Orders(ceiling=MANY))
    with closing(sqlite3.connect(path)) as journal:
        journal.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        if harm == "table":
            journal.execute("DROP TABLE answers")
        if harm == "type":
            journal.execute("UPDATE answers SET input_tokens = 'many'")
            journal.commit()
    if harm == "bytes":
        content = bytearray(path.read_bytes())
        content[8192:-4096] = b"\xff" * (len(content) - 12288)
        path.write_bytes(content)
    with pytest.raises(StoreError, match=r"journal\.sqlite"), Journal(path) as journal:
        list(lines_of(journal))
