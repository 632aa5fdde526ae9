"""What a recipe says of a teacher: mistakes are told in words that help, and keys in none."""

import subprocess
import sys

import orjson
import pytest

from imitation_data import build, load
from imitation_data.errors import BudgetError, RecipeError
from imitation_data.generate.budget import Ceiling
from imitation_data.generation import Orders, generate
from imitation_data.recipe import load_recipe, parse_recipe
from imitation_data.versions.store import Store
from tests.generate.conftest import KEY, ROOT
from tests.generate.test_given import TALK, recipe_of, talk, write
from tests.servers.teacher import Teacher

FEW = {"name": "a", "generate": "few_shot_qa", "path": "seeds.jsonl"}
GIVEN = {"name": "a", "generate": "answers", "path": "rows.jsonl"}
TEACHER = {"model": "m", "key": ""}
SECRET = "sk-proj-AbCdEf1234567890abcdef1234567890xyz"


def problems_of(source, folder):
    write(folder / "seeds.jsonl", [{"question": "q", "answer": "a"}])
    write(folder / "rows.jsonl", [talk(*TALK)])
    with pytest.raises(RecipeError) as caught:
        parse_recipe({"name": "bad", "sources": [source]}, folder)
    return "\n".join(caught.value.problems)


@pytest.mark.parametrize(
    "teacher",
    [
        {"key": SECRET, "model": "m"},
        {"key": "sk-x", "model": "m", "price": {"inptu": 1}},
        {"model": "m", "key": [SECRET]},
        {"model": "m", "api_key": SECRET},
        {"model": "m", "token": SECRET, "key": ""},
        {"model": "m", "endpoint": {"url": f"http://u:{SECRET}@x"}},
        {"model": "m", "endpoint": f"ftp://u:{SECRET}@x/v1?k={SECRET}"},
    ],
)
def test_no_key_is_repeated(teacher, tmp_path):
    """Wherever it was pasted, and whatever else is wrong."""
    for source in (FEW, {"name": "a", "reader": "messages", "path": "rows.jsonl"}):
        told = problems_of(source | {"teacher": teacher}, tmp_path)
        assert SECRET[:8] not in told
        assert "sk-x" not in told
        assert "teacher" in told


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        (FEW | {"teacher": TEACHER | {"prices": {}}}, "unknown key 'prices'; did you mean 'price'"),
        (FEW | {"teacher": TEACHER | {"concurency": 2}}, "did you mean 'concurrency'"),
        (FEW | {"teacher": {"model": "m", "api_key": "x"}}, "write key: NAME_OF_AN_ENVIRONMENT"),
        (FEW | {"teacher": TEACHER | {"price": {"inptu": 1}}}, "price: unknown key 'inptu'"),
        (FEW | {"teacher": TEACHER | {"price": 3}}, "price: expected {input"),
        (FEW | {"teacher": {"key": ""}}, "teacher: missing key 'model'"),
        (FEW, "teacher: found nothing; expected a table"),
        (FEW | {"teacher": "gpt-4o"}, "teacher: found no table"),
        (FEW | {"teacher": TEACHER, "reader": "columns"}, "takes no reader; leave it out"),
        (FEW | {"teacher": TEACHER, "path": "seedz.jsonl"}, "seedz.jsonl: no such file"),
        (FEW | {"teacher": TEACHER, "generate": "few_shot"}, "did you mean 'few_shot_qa'"),
        ({"name": "a", "reader": "answers", "path": "x"}, "write generate: answers"),
        (GIVEN | {"teacher": TEACHER, "path": "no/rows.jsonl"}, "no such file or folder"),
        (GIVEN | {"teacher": TEACHER, "path": "rowz.jsonl"}, "no such file or folder"),
        (
            GIVEN | {"teacher": TEACHER, "reader": "columns", "options": {"prompt": "q"}},
            "put it into reader_options",
        ),
        (
            GIVEN | {"teacher": TEACHER, "generate": "labels", "options": {"categories": ["a"]}},
            "expected a table of names",
        ),
    ],
)
def test_mistakes_are_named(source, sentence, tmp_path):
    told = problems_of(source, tmp_path)
    assert sentence in told
    assert "teacher.Teacher" not in told


def test_an_endpoint_from_the_command_line():
    """The recipe is not blamed for it."""
    with pytest.raises(RecipeError, match=r"--endpoint: .* no http or https URL"):
        load_recipe(ROOT / "cards" / "nq-synthetic", endpoint="127.0.0.1:8765/v1")


def test_answers_bought_before_a_price_was_known(tmp_path):
    """A try-out without a price, then the price: the ceiling in money counts both."""
    write(tmp_path / "rows.jsonl", [{"prompt": f"q{number}"} for number in range(20)])
    with Teacher(1) as teacher:
        plain = recipe_of(tmp_path, teacher.url, "answers", {"count": 5})
        generate(plain, Store(tmp_path / "s"), Orders(ceiling=Ceiling(requests=100)))
        told = {"teacher": {"price": {"input": 1, "output": 2}}}
        priced = recipe_of(tmp_path, teacher.url, "answers", {}, **told)
        few = Orders(ceiling=Ceiling(usd=0.00001))
        generate(priced, Store(tmp_path / "s"), few)
        assert teacher.stats()["charged"] == 5
        found = generate(priced, Store(tmp_path / "s"), Orders(ceiling=Ceiling(usd=1)))["made"]
        assert found["requests"] == teacher.stats()["charged"] == 20
        other = recipe_of(tmp_path, teacher.url, "answers", {}, **told)
        object.__setattr__(other.sources[0].settings.teacher, "price", None)
        object.__setattr__(other.sources[0].settings.teacher, "model", "n")
        with pytest.raises(BudgetError, match=r"source 'made' .'n' at http://127.*price"):
            generate(other, Store(tmp_path / "s"), Orders(ceiling=Ceiling(usd=1)))
        words = [sys.executable, "-m", "imitation_data", "journal", "show", "--json"]
        words.append(str(tmp_path / "s" / "journal.sqlite"))
        shown = orjson.loads(subprocess.run(words, capture_output=True, check=True).stdout)
    assert shown["datasets"]["given"]["usd"] == pytest.approx(found["usd"])
    assert shown["teachers"] == [{"endpoint": teacher.url, "model": "m", "answers": 20}]


def test_another_journal_is_not_passed_over(tmp_path):
    """Rows made before do not stand for answers that the journal named has not."""
    write(tmp_path / "rows.jsonl", [{"prompt": "q"}])
    with Teacher(1) as teacher:
        recipe = recipe_of(tmp_path, teacher.url, "answers", {})
        many = Ceiling(requests=100)
        generate(recipe, Store(tmp_path / "s"), Orders(ceiling=many))
        other = tmp_path / "other.sqlite"
        with pytest.raises(BudgetError):
            build(recipe, store=tmp_path / "s", workers=1, orders=Orders(other))
        generate(recipe, Store(tmp_path / "s"), Orders(other, ceiling=many))
        build(recipe, store=tmp_path / "s", workers=1, orders=Orders(other))


def test_a_try_out_says_so(tmp_path):
    """On the card and as a warning; and it is no version after one made in earnest."""
    rows = [talk(*TALK) | {"license": "MIT"} for _ in range(4)]
    write(tmp_path / "rows.jsonl", rows)
    with Teacher(1) as teacher:
        options = {"categories": {"a": "", "b": ""}, "name": "topic"}
        recipe = recipe_of(tmp_path, teacher.url, "labels", options, license="CC0-1.0")
        many = Ceiling(requests=100)
        first = build(recipe, store=tmp_path / "s", workers=1, orders=Orders(None, many, 2))
        assert any("try-out" in words for words in first.warnings)
        card = (first.stored.path / "README.md").read_text()
        assert "try-out" in card
        assert "Labels 'topic'" in card
        assert "--journal JOURNAL" in card
        assert "rows.jsonl" in card
        whole = build(recipe, store=tmp_path / "s", workers=1, orders=Orders(None, many))
        assert whole.kept == 4
        assert not any("try-out" in words for words in whole.warnings)
        with pytest.raises(RecipeError, match="--limit makes a try-out"):
            build(recipe, store=tmp_path / "s", workers=1, orders=Orders(None, many, 3))
        resolved = load_recipe(whole.stored.path / "recipe.yaml", {"made": tmp_path / "rows.jsonl"})
        orders = Orders(tmp_path / "s" / "journal.sqlite")
        again = build(resolved, store=tmp_path / "again", workers=1, orders=orders)
    assert again.stored.manifest["fingerprint"] == whole.stored.manifest["fingerprint"]
    assert KEY not in card


def test_an_answer_has_the_licence_of_its_source(tmp_path):
    """The prompt's own is kept in `meta`."""
    write(tmp_path / "rows.jsonl", [talk(*TALK)])
    source = {"name": "old", "reader": "messages", "path": "rows.jsonl", "license": "MIT"}
    plain = parse_recipe({"name": "old", "sources": [source]}, tmp_path)
    build(plain, store=tmp_path / "s", workers=1)
    with Teacher(1) as teacher:
        recipe = recipe_of(tmp_path, teacher.url, "answers", {}, "old", license="other")
        orders = Orders(ceiling=Ceiling(requests=9))
        built = build(recipe, store=tmp_path / "s", workers=1, orders=orders)
    (row,) = load(f"given@{built.stored.version}", store=tmp_path / "s")["train"]
    assert row["license"] == "other"
    assert orjson.loads(row["meta"])["prompt_license"] == "MIT"
    assert built.stored.manifest["generation"]["made"]["read"]["version"] == "old@1.0.0"
