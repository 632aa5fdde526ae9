"""Removal requests bind every later build, whoever had lost to the rows that go."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import polars as pl
import pytest

from imitation_data.cli.app import main
from imitation_data.errors import StoreError
from imitation_data.removals import FILE, read_requests, request, requests_of
from imitation_data.runner import build
from imitation_data.stored import load
from imitation_data.versions.store import Store
from tests.conftest import sharegpt

ROWS = {
    "one": ["What is a tide?", "The sea that rises and falls."],
    "twin": ["What is a tide?", "The sea that rises and falls."],
    "two": ["What is a reef?", "A ridge under water."],
    "three": ["What is a cove?", "A small bay."],
}
STEPS = [
    {"type": "exact_dedup", "level": "conversation"},
    {"type": "split", "shares": {"train": 0.5, "test": 0.5}},
]


@pytest.fixture
def recipe(write_recipe):
    return write_recipe({"web": sharegpt(ROWS)}, steps=STEPS)


def origins(store, name="trial"):
    rows = load(name, store)
    return {origin for split in rows.values() for origin in split["origin"]}


def ledger(stored):
    return pl.read_parquet(stored.ledger_files()).filter(pl.col("reason") == "removal_request")


def test_a_request_binds_the_next_builds(recipe, tmp_path):
    """The row goes, so does the twin that had lost to it, MAJOR; and it stays so."""
    store = Store(tmp_path / "store")
    first = build(recipe, store=store.root, workers=1)
    assert origins(store.root) == {"one", "two", "three"}
    found = request(store, "trial", ["one"], note="asked by mail")
    assert found.rows == ("web/one:0",)
    assert found.lost == ("web/twin:0",)
    assert found.versions == ("trial@1.0.0",)
    second = build(recipe, store=store.root, workers=1)
    assert str(second.stored.version) == "2.0.0"
    assert origins(store.root) == {"two", "three"}
    gone = ledger(second.stored).select("origin", "found", "evidence").rows()
    assert sorted(gone) == [("one", "origin", ""), ("twin", "origin", "")]
    assert ledger(first.stored).is_empty()
    assert not build(recipe, store=store.root, workers=1).new


def test_a_list_that_is_lost_still_binds(recipe, tmp_path):
    """Requests stand in the version's recipe: the next build has them from there."""
    store = Store(tmp_path / "store")
    build(recipe, store=store.root, workers=1)
    request(store, "trial", ["two"])
    build(recipe, store=store.root, workers=1)
    (store.root / "trial" / FILE).unlink()
    assert not build(recipe, store=store.root, workers=1).new
    assert set(requests_of(store.find("trial"))) >= {"web/two"}


def test_an_id_is_found_after_cleaning(write_recipe, tmp_path):
    """A content that only a step makes is removed by its id, whatever record it comes from."""
    recipe = write_recipe(
        {"web": sharegpt({"one": ["<p>Hi there</p>", "Yes."], "two": ["Other", "No."]})},
        steps=[{"type": "markdown"}],
    )
    store = tmp_path / "store"
    build(recipe, store=store, workers=1)
    (row,) = [row for row in load("trial", store)["train"] if row["origin"] == "one"]
    (recipe.parent / FILE).write_text(f"# because\n{row['id']}\n", encoding="utf-8")
    stored = build(recipe, store=store, workers=1).stored
    assert origins(store) == {"two"}
    assert ledger(stored)["found"].to_list() == ["id"]


def test_repeats_of_a_record_go_with_it(write_recipe, tmp_path):
    """`#2` is another record of the same bytes: one request is for both."""
    lines = [json.dumps({"instruction": "Say a", "input": "", "output": "a"})] * 2
    lines.append(json.dumps({"instruction": "Say b", "input": "", "output": "b"}))
    recipe = write_recipe(
        {}, sources=[{"name": "web", "reader": "alpaca", "path": "a.jsonl", "license": "MIT"}]
    )
    (recipe.parent / "a.jsonl").write_text("\n".join(lines), encoding="utf-8")
    store = tmp_path / "store"
    build(recipe, store=store, workers=1)
    first = sorted(origins(store), key=len)
    base = next(origin.partition("#")[0] for origin in first if "#" in origin)
    request(Store(store), "trial", [f"web/{base}"])
    build(recipe, store=store, workers=1)
    assert len(origins(store)) == 1


def test_what_is_not_there_is_told(recipe, tmp_path):
    """A request that names nothing would remove nothing: it is refused, and nothing is noted."""
    store = Store(tmp_path / "store")
    build(recipe, store=store.root, workers=1)
    with pytest.raises(StoreError, match="no row or record 'nobody'"):
        request(store, "trial", ["one", "nobody"])
    assert read_requests(store.root / "trial" / FILE) == ()


def test_the_list_is_read_as_people_write_it(tmp_path):
    """Comments, empty lines, a byte order mark and DOS line ends are no requests."""
    path = tmp_path / FILE
    path.write_bytes("\ufeff# why\r\n\r\n web/one \r\n#\r\n#odd-origin\r\n".encode())
    assert read_requests(path) == ("web/one", "#odd-origin")


def test_the_command_says_what_goes_and_what_stays(recipe, tmp_path, capsys, monkeypatch):
    """The versions that hold the rows are named, since they stay as they are."""
    store = str(tmp_path / "store")
    build(recipe, store=store, workers=1)
    arguments = ["imitation-data", "remove", "trial", "one", "--store", store]
    monkeypatch.setattr("sys.argv", arguments)
    with pytest.raises(SystemExit) as ended:
        main()
    told = capsys.readouterr().out
    assert ended.value.code == 0
    assert "web/twin:0 (a duplicate of one of them" in told
    assert "trial@1.0.0" in told
    assert Path(store, "trial", FILE).read_text(encoding="utf-8").startswith("web/one\n")


def test_the_row_that_a_duplicate_had_lost_to_goes_as_well(recipe, tmp_path):
    """Whoever asks for the twin asks for its text, which stood in the version under another key."""
    store = Store(tmp_path / "store")
    build(recipe, store=store.root, workers=1)
    found = request(store, "trial", ["twin"])
    assert (found.rows, found.lost) == (("web/twin:0",), ("web/one:0",))
    assert found.versions == ("trial@1.0.0",)
    build(recipe, store=store.root, workers=1)
    assert origins(store.root) == {"two", "three"}


def test_duplicates_that_came_in_a_later_version_go_as_well(recipe, tmp_path):
    """An old version is named; what lost to its row since then does not take the place."""
    store = Store(tmp_path / "store")
    source = recipe.parent / "web.json"
    source.write_text(sharegpt({key: ROWS[key] for key in ("one", "two", "three")}), "utf-8")
    build(recipe, store=store.root, workers=1)
    source.write_text(sharegpt({**ROWS, "four": ["What is fog?", "A low cloud."]}), "utf-8")
    build(recipe, store=store.root, workers=1)
    found = request(store, "trial@1.0.0", ["one"])
    assert found.lost == ("web/twin:0",)


@pytest.mark.parametrize(
    "origin",
    ["a\nb", "ends in a space ", "\u2028x", "x\x85y", "\ttab", "# x", "#", '"x"', '"', "a/b"],
)
def test_a_request_binds_whatever_the_origin_looks_like(write_recipe, tmp_path, origin):
    """The record's text is mended later, so that its id is another: the origin still binds."""
    recipe = write_recipe({"web": sharegpt({**ROWS, origin: ["What is it?", "A secret."]})})
    store = Store(tmp_path / "store")
    build(recipe, store=store.root, workers=1)
    request(store, "trial", [origin])
    mended = {**ROWS, origin: ["What is it?", "A secret, well told."]}
    (recipe.parent / "web.json").write_text(sharegpt(mended), encoding="utf-8")
    build(recipe, store=store.root, workers=1)
    assert origins(store.root) == set(ROWS)
    assert request(store, "trial@1.0.0", [origin]).requests == ()


def test_requests_made_at_once_are_all_kept(write_recipe, tmp_path):
    """Each waits for the other to have written the list."""
    rows = {f"r{n}": [f"What is {n}?", f"It is {n}."] for n in range(12)}
    store = Store(tmp_path / "store")
    build(write_recipe({"web": sharegpt(rows)}), store=store.root, workers=1)
    with ThreadPoolExecutor(12) as pool:
        list(pool.map(lambda key: request(store, "trial", [key], f"for {key} \udcff"), rows))
    asked = read_requests(store.root / "trial" / FILE)
    assert {f"web/{key}" for key in rows} <= set(asked)


def test_records_of_the_same_first_question_alone_stay(write_recipe, tmp_path):
    """They said something else after it: one request is not for them, and one takes the place."""
    texts = {
        "long": ["What is up?", "All is well, and more than that is true."],
        "short": ["What is up?", "Nothing."],
        "other": ["What is down?", "The ground."],
    }
    steps = [{"type": "exact_dedup", "level": "first_user"}]
    recipe = write_recipe({"web": sharegpt(texts)}, steps=steps)
    store = Store(tmp_path / "store")
    build(recipe, store=store.root, workers=1)
    assert origins(store.root) == {"long", "other"}
    found = request(store, "trial", ["long"])
    assert (found.rows, found.lost) == (("web/long:0",), ())
    build(recipe, store=store.root, workers=1)
    assert origins(store.root) == {"short", "other"}
