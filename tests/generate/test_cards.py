"""The shipped recipes, end to end against a teacher that fails one try in five."""

import orjson
import pytest

from imitation_data import build, load
from imitation_data.errors import BudgetError
from imitation_data.generate.budget import Ceiling
from imitation_data.generate.journal import Journal
from imitation_data.generation import Orders, estimate, generate
from imitation_data.recipe import parse_recipe
from imitation_data.versions.store import Store
from tests.generate.conftest import FIFTH, KEY, ROOT
from tests.servers.teacher import Faults, Teacher, TeacherSettings
from tests.test_runner import assert_balanced

MANY = Ceiling(requests=100_000)


@pytest.mark.parametrize(
    ("name", "wanted", "least"), [("nq-synthetic", 150, 150), ("self-instruct", 40, 40)]
)
def test_a_card_is_built_and_built_again_for_nothing(name, wanted, least, card, tmp_path):
    """Rows, lineage and balance; a rebuild sends nothing, and nothing holds the key."""
    with Teacher(1, FIFTH) as teacher:
        recipe = card(name, teacher.url)
        built = build(recipe, store=tmp_path, workers=1, orders=Orders(None, MANY, wanted))
        charged = teacher.stats(bodies=False)["charged"]
        again = build(recipe, store=tmp_path, workers=1, orders=Orders(limit=wanted))
        assert teacher.stats(bodies=False)["charged"] == charged
    assert not again.new
    assert_balanced(built.stored)
    assert built.kept >= least
    facts = built.stored.manifest["generation"][name]
    assert facts["complete"]
    assert facts["rows"] >= built.kept == facts["kept"]
    assert sum(facts["outcomes"].values()) == facts["requests"]
    row = next(iter(load(f"{name}@1.0.0", store=tmp_path)["train"]))
    meta = orjson.loads(row["meta"])
    assert len(meta["request"]) == 32
    assert meta["model"] == row["teacher"]
    assert meta.get("seeds") or meta["parents"]
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any(path.name == "journal.sqlite" for path in files)
    assert not [path for path in files if KEY.encode() in path.read_bytes()]


def test_categories_of_the_paper(card, tmp_path):
    """Table 5's categories, through a JSON schema, on the shipped conversations."""
    with Teacher(1, FIFTH) as teacher:
        recipe = card("sharegpt-categories", teacher.url)
        built = build(recipe, store=tmp_path, workers=1, orders=Orders(ceiling=MANY))
    assert_balanced(built.stored)
    rows = load("sharegpt-categories@1.0.0", store=tmp_path)["train"]
    told = [orjson.loads(row["meta"])["labels"]["category"]["label"] for row in rows]
    assert len(told) == built.kept > 50
    assert {"Generation", "General QA", "Non-English", "Invalid"} <= set(told)


def test_the_same_rows_whatever_comes_first(card, tmp_path):
    """Other faults, other waits, another order of arrival: the same candidates, byte for byte."""
    seen = []
    for number, faults in enumerate((None, FIFTH)):
        with Teacher(1, faults) as teacher:
            # The faults that change answers are drawn by body; only those in passing may differ.
            if faults is None:
                teacher.faults = type(FIFTH)(
                    truncated=0.02, filtered=0.01, refused=0.01, wrong_model=0.01
                )
            recipe = card("self-instruct", teacher.url)
            store = Store(tmp_path / str(number))
            generate(recipe, store, Orders(None, MANY, 30))
            (path,) = store.root.rglob("candidates.jsonl")
            lines = [orjson.loads(line) for line in path.read_bytes().splitlines()]
            seen.append([[row["messages"] for row in line["rows"]] for line in lines])
    assert seen[0] == seen[1]


def test_nothing_is_sent_without_a_ceiling(card, tmp_path):
    """`build` refuses with what to add, and the teacher was not asked."""
    with Teacher(1) as teacher:
        with pytest.raises(BudgetError, match="--budget"):
            build(card("nq-synthetic", teacher.url), store=tmp_path, workers=1)
        with pytest.raises(BudgetError, match="price"):
            build(
                card("nq-synthetic", teacher.url),
                store=tmp_path,
                workers=1,
                orders=Orders(ceiling=Ceiling(usd=1)),
            )
        assert teacher.stats()["requests"] == 0


def test_more_rows_send_only_what_is_new(card, tmp_path):
    """150 rows after 100 are charged as 150 at once are."""
    with Teacher(1) as teacher:
        recipe = card("nq-synthetic", teacher.url)
        for count in (100, 150):
            generate(recipe, Store(tmp_path / "a"), Orders(None, MANY, count))
        both = teacher.stats(bodies=False)["charged"]
        generate(recipe, Store(tmp_path / "b"), Orders(None, MANY, 150))
        alone = teacher.stats(bodies=False)["charged"] - both
    assert both <= alone + 3  # the end of the shorter run may have asked a little more


def test_generated_and_read_sources_make_one_version(tmp_path):
    """One recipe, a file and a teacher: rows of both, and the cost of one."""
    (tmp_path / "rows.jsonl").write_text('{"prompt": "Is it cold?", "answer": "It is."}\n')
    with Teacher(1) as teacher:
        told = {"model": "m", "endpoint": teacher.url, "price": {"input": 1, "output": 2}}
        seeds = str(ROOT / "cards" / "nq-synthetic" / "seeds.jsonl")
        sources = [
            {"name": "read", "reader": "columns", "path": "rows.jsonl"}
            | {"options": {"prompt": "prompt", "answer": "answer"}},
            {"name": "made", "generate": "few_shot_qa", "path": seeds, "teacher": told}
            | {"options": {"count": 20}},
        ]
        recipe = parse_recipe({"name": "both", "sources": sources}, tmp_path)
        built = build(recipe, store=tmp_path / "s", workers=1, orders=Orders(ceiling=Ceiling(1.0)))
    assert built.stored.manifest["facts"]["sources"].keys() == {"made", "read"}
    facts = built.stored.manifest["generation"]["made"]
    assert facts["usd_per_kept_row"] == pytest.approx(facts["usd"] / 20, abs=1e-9)
    assert "What a teacher made" in (built.stored.path / "README.md").read_text()
    assert "127.0.0.1" not in built.stored.path.name


def test_an_estimate_sends_nothing(card, tmp_path):
    """Requests and tokens are told; money only where a price is known."""
    recipe = card("nq-synthetic", "http://127.0.0.1:9/v1")
    table = recipe.sources[0].settings.teacher
    assert table.encoding == "o200k_base"
    object.__setattr__(table, "encoding", "bytes")
    (found,) = estimate(recipe, Store(tmp_path), Orders())
    assert found.requests == 1200
    assert found.input_tokens > 1200 * 300
    assert found.usd is None


@pytest.mark.parametrize("procedure", ["few_shot_qa", "alpaca_style"])
def test_answers_through_a_schema(procedure, tmp_path):
    """Endpoints that take a JSON schema get one; what does not keep to it is still read."""
    card, seeds = (
        ("nq-synthetic", "seeds.jsonl")
        if procedure == "few_shot_qa"
        else (
            "self-instruct",
            "seed_tasks.jsonl",
        )
    )
    wrong = Faults(wrong_json=0.2, truncated=0.1)
    with Teacher(3, wrong, settings=TeacherSettings(structured=True)) as teacher:
        told = {"model": "m", "endpoint": teacher.url, "key": "", "structured": True}
        source = {"name": "made", "generate": procedure, "path": seeds, "teacher": told}
        recipe = parse_recipe(
            {"name": "made", "sources": [source | {"options": {"count": 60}}]},
            ROOT / "cards" / card,
        )
        found = generate(recipe, Store(tmp_path), Orders(ceiling=MANY))["made"]
    assert found["complete"]
    assert found["rows"] == 60
    with Journal(tmp_path / "journal.sqlite") as journal:
        bodies = [orjson.loads(row["request"]) for row in journal.rows()]
    assert all(body["response_format"]["json_schema"]["strict"] for body in bodies)


def test_self_instruct_as_published(tmp_path):
    """`paper_exact` goes back to batches of five, faulty stops and lower case."""
    with Teacher(3, Faults(truncated=0.05)) as teacher:
        told = {"model": "m", "endpoint": teacher.url, "key": ""}
        source = {"name": "made", "generate": "self_instruct", "teacher": told}
        options = {"count": 40, "paper_exact": True}
        source |= {"path": "seed_tasks.jsonl", "options": options}
        recipe = parse_recipe({"name": "made", "sources": [source]}, ROOT / "cards/self-instruct")
        found = generate(recipe, Store(tmp_path), Orders(ceiling=MANY))["made"]
    assert found["complete"]
    (path,) = tmp_path.rglob("candidates.jsonl")
    lines = [orjson.loads(line) for line in path.read_bytes().splitlines()]
    firsts = [
        line["rows"][0]["messages"][0][1].partition("\n")[0] for line in lines if line["rows"]
    ]
    assert firsts
    assert all(first == first.capitalize() for first in firsts)
    with Journal(tmp_path / "journal.sqlite") as journal:
        stops = [orjson.loads(row["request"]).get("stop") for row in journal.rows()]
    assert ["\n\n", "\n16", "16.", "16 ."] in stops
