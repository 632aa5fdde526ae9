"""Recipes are checked whole, before any data is read, and every message says what to do."""

import pytest
import yaml

from imitation_data.errors import RecipeError
from imitation_data.recipe import load_recipe, parse_recipe

GOOD = {"one": '[{"id": "a", "conversations": [{"from": "human", "value": "hi"}]}]'}


def problems_of(write_recipe, **keys):
    with pytest.raises(RecipeError) as caught:
        load_recipe(write_recipe(GOOD, **keys))
    return caught.value.problems


def test_a_good_recipe_is_frozen_and_resolves_to_itself(write_recipe, tmp_path):
    """The resolved recipe, read again, resolves to the same text."""
    steps = [{"type": "length", "max_chars": 10}, {"type": "split", "shares": {"train": 1.0}}]
    recipe = load_recipe(write_recipe(GOOD, steps=steps, checks=[{"type": "min_rows", "rows": 1}]))
    again = parse_recipe(yaml.safe_load(recipe.yaml()), recipe.folder)
    assert again.yaml() == recipe.yaml()
    assert str(tmp_path) not in recipe.yaml()
    with pytest.raises(AttributeError):
        recipe.name = "other"


def test_all_problems_at_once(write_recipe):
    """One run of `check` shows everything that is wrong, not the first of it."""
    problems = problems_of(
        write_recipe,
        naem="x",
        tokens=5,
        steps=[
            {"type": "lenght", "max_chars": 3},
            {"type": "length", "max_chrs": 3},
            {"type": "length", "min_chars": 9, "max_chars": 3},
            {"type": "exact_dedup", "level": "rows"},
            {"max_chars": 3},
        ],
        checks=[{"type": "min_rows", "rows": "many"}],
    )
    expected = [
        "unknown key 'naem'; did you mean 'name'?",
        "tokens: input should be a valid string, found 5",
        "steps[1]: unknown step 'lenght'; did you mean 'length'?",
        "steps[2] length: unknown key 'max_chrs'; did you mean 'max_chars'?",
        "min_chars is 9 and max_chars is 3",
        "steps[4] exact_dedup: level: input should be 'conversation'",
        "steps[5]: missing key 'type'",
        "checks[1] min_rows: rows: input should be a valid integer",
    ]
    for sentence in expected:
        assert any(sentence in problem for problem in problems), (sentence, problems)
    assert len(problems) == len(expected)


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        ({"sources": []}, "sources: is empty"),
        ({"sources": {"name": "a"}}, "sources: expected a list, found a table"),
        (
            {"sources": [{"name": "a", "reader": "sharegtp", "path": "one.json"}]},
            "did you mean 'sharegpt'?",
        ),
        (
            {"sources": [{"name": "a", "reader": "sharegpt", "path": "two.json"}]},
            "no such file or folder",
        ),
        ({"sources": [{"name": "a", "reader": "sharegpt"}]}, "either path or hub"),
        ({"sources": [{"name": "a", "reader": "sharegpt", "hub": "o/n"}]}, "hub needs revision"),
        (
            {"sources": [{"name": "A b", "reader": "sharegpt", "path": "one.json"}]},
            "expected lower-case",
        ),
        ({"name": "../x"}, "expected lower-case"),
        ({"steps": [{"type": "length", "max_chars": 3, "sources": ["on"]}]}, "did you mean 'one'?"),
        (
            {"steps": [{"type": "length", "max_tokens": 3}]},
            "counts tokens, but the recipe says tokens: none",
        ),
        ({"checks": [{"type": "token_range"}]}, "counts tokens, but the recipe says tokens: none"),
        ({"checks": [{"type": "source_share", "source": "tow"}]}, "no source is called 'tow'"),
        ({"checks": [{"type": "language_share", "language": "en"}]}, "no language step"),
        (
            {"checks": [{"type": "source_share", "source": "one", "least": 2}]},
            "expected 0 <= least",
        ),
        (
            {"steps": [{"type": "mix", "shares": {"one": 0.5, "two": 0.5}}]},
            "no source is called 'two'",
        ),
        (
            {"steps": [{"type": "split", "shares": {"a": 1.0}}, {"type": "blank"}]},
            "split: must be the last step",
        ),
        (
            {
                "steps": [
                    {"type": "split", "shares": {"a": 1.0}},
                    {"type": "split", "shares": {"a": 1.0}},
                ]
            },
            "split: stands in steps[1] already",
        ),
        (
            {"steps": [{"type": "language", "keep": ["en"]}, {"type": "language", "keep": ["de"]}]},
            "shares no language with steps[1]",
        ),
    ],
)
def test_one_mistake_one_sentence(write_recipe, keys, sentence):
    problems = problems_of(write_recipe, **keys)
    assert len(problems) == 1, problems
    assert sentence in problems[0]


def test_norwegian_is_not_a_boolean(write_recipe):
    """YAML 1.1 reads `no` as false; here it is a language."""
    path = write_recipe(GOOD)
    path.write_text(path.read_text() + "steps:\n- type: language\n  keep: [no, en]\n")
    assert load_recipe(path).steps[0].options["keep"] == ["no", "en"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("name: a\nname: b\n", "the key 'name' stands twice (line 2)"),
        ("name: [a\n", "is not YAML"),
        ("- a\n", "expected a table of keys and values, found a list"),
        ("", "expected a table of keys and values, found nothing"),
        ("name: !!python/object/apply:os.system [ls]\n", "is not YAML"),
        ("[" * 5000, "is nested too deep"),
        ("name: a\ndescription: 2024-13-45\n", "quote it if it is text"),
        (
            "a: &a [x, x, x, x, x, x, x, x]\n"
            + "".join(
                f"{b}: &{b} [{', '.join(['*' + a] * 8)}]\n"
                for a, b in zip("abcdefgh", "bcdefghi", strict=True)
            ),
            "aliases counted",
        ),
    ],
)
def test_broken_yaml_is_located(tmp_path, text, sentence):
    path = tmp_path / "recipe.yaml"
    path.write_text(text)
    with pytest.raises(RecipeError) as caught:
        load_recipe(path)
    assert sentence in str(caught.value)


def test_missing_and_binary_recipes(tmp_path):
    with pytest.raises(RecipeError, match="no such file"):
        load_recipe(tmp_path / "none.yaml")
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RecipeError, match="UTF-8"):
        load_recipe(tmp_path / "binary.yaml")


def test_tokens_are_counted_where_texts_no_longer_change(write_recipe):
    """An encoding adds the count after the last row step, before dataset steps that follow it."""
    steps = [{"type": "blank"}, {"type": "exact_dedup"}]
    recipe = load_recipe(write_recipe(GOOD, tokens="bytes", steps=steps))
    assert [use.type for use in recipe.steps] == ["blank", "tokens", "exact_dedup"]
    assert [use.number for use in recipe.steps] == [1, 2, 3]
    assert recipe.steps[1].options == {"encoding": "bytes"}


def test_a_source_may_be_read_from_elsewhere(write_recipe, tmp_path):
    path = write_recipe(GOOD)
    other = tmp_path / "other.json"
    other.write_text(GOOD["one"])
    assert load_recipe(path, {"one": str(other)}).sources[0].path == other
    with pytest.raises(RecipeError, match="no source is called 'oen'; did you mean 'one'"):
        load_recipe(path, {"oen": str(other)})


def test_a_broken_card_template_is_found_by_check(write_recipe):
    """Not after an hour of building."""
    path = write_recipe(GOOD)
    (path.parent / "card.md.jinja").write_text("# {{ summary.name }\n")
    with pytest.raises(RecipeError, match=r"card\.md\.jinja: line 1"):
        load_recipe(path)
    (path.parent / "card.md.jinja").write_text("# {{ summary.name }}\n")
    assert load_recipe(path).name == "trial"
