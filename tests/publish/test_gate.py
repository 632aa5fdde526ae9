"""Licences and teachers' terms stop a publish, unless the recipe accepts them by name."""

import pytest
import yaml

from imitation_data.errors import RecipeError, TermsError
from imitation_data.publish.gate import foreseen, refuse_terms
from imitation_data.recipe import load_recipe, parse_recipe
from imitation_data.report.terms import known_terms, terms_of
from imitation_data.runner import build
from tests.conftest import sharegpt

TEXTS = sharegpt({"a": ["What is a tide?", "Water."], "b": ["What is a reef?", "Stone."]})


def built(write_recipe, tmp_path, accepts=None, **source):
    path = write_recipe({"web": TEXTS})
    table = yaml.safe_load(path.read_text(encoding="utf-8"))
    table["sources"][0] |= source
    if accepts:
        table["accepts"] = accepts
    path.write_text(yaml.safe_dump(table), encoding="utf-8")
    return build(path, store=tmp_path / "store", workers=1).stored


def test_rows_under_a_licence_pass(write_recipe, tmp_path):
    """A licence and no teacher: nothing to say."""
    refuse_terms(built(write_recipe, tmp_path))


def test_a_source_without_licence_stops_until_it_is_accepted(write_recipe, tmp_path):
    """The message has the line for the recipe; with it the version passes, and the card says so."""
    with pytest.raises(TermsError, match=r"2 rows of source 'web'.*unlicensed: \[web\]"):
        refuse_terms(built(write_recipe, tmp_path, license=""))
    accepted = built(write_recipe, tmp_path, {"unlicensed": ["web"]}, license="")
    assert str(accepted.version) == "1.0.1"  # what a recipe accepts is part of the version
    refuse_terms(accepted)
    card = (accepted.path / "README.md").read_text(encoding="utf-8")
    assert "Rows of source 'web' name no licence; the recipe accepts that." in card


def test_terms_that_bar_competing_models_stop_until_they_are_accepted(write_recipe, tmp_path):
    """By the provider's key; the card quotes the terms either way."""
    stopped = built(write_recipe, tmp_path, teacher="openai/gpt-4o")
    with pytest.raises(TermsError, match=r"gpt-4o.*OpenAI.*terms: \[openai\]") as refused:
        refuse_terms(stopped)
    assert refused.value.exit_code == 3
    assert "Not accepted yet" in (stopped.path / "README.md").read_text(encoding="utf-8")
    accepted = built(write_recipe, tmp_path, {"terms": ["openai"]}, teacher="openai/gpt-4o")
    refuse_terms(accepted)
    card = (accepted.path / "README.md").read_text(encoding="utf-8")
    assert "The recipe accepts these terms." in card


def test_a_model_nobody_knows_passes_and_the_card_says_so(write_recipe, tmp_path):
    """No terms are known: it is told, and stops nothing."""
    stored = built(write_recipe, tmp_path, teacher="my-own-7b")
    refuse_terms(stored)
    assert "terms of my-own-7b" in (stored.path / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("model", "key"),
    [
        ("gpt-4o-mini-2024-07-18", "openai"),
        ("OpenAI/GPT-4", "openai"),
        ("text-davinci-003", "openai"),
        ("o1-mini", "openai"),
        ("openai/gpt-oss-120b", None),
        ("gpt-j-6b", None),
        ("openai/gpt-oss:20b", None),
        ("gpt4all-j", None),
        ("GPT 4", "openai"),
        ("gpt4o", "openai"),
        ("GPT\u20114", "openai"),
        ("openai:gpt-4o", "openai"),
        ("ft:gpt-3.5-turbo:acme::x", "openai"),
        ("human, gpt-4", "openai"),
        ("gpt-oss-20b, gpt-4", "openai"),
        ("us.anthropic.claude-3-sonnet-v1:0", "anthropic"),
        ("llama3:8b", "llama2"),
        ("Llama 3.1 8B", "llama3"),
        ("claude-3-5-sonnet", "anthropic"),
        ("gemini-2.0-flash", "google"),
        ("meta-llama/Llama-2-70b-chat-hf", "llama2"),
        ("meta-llama/Llama-3.1-8B-Instruct", "llama3"),
        ("meta-llama/Meta-Llama-3-8B", "llama2"),
        ("mixtral-8x7b", None),
        ("", None),
    ],
)
def test_models_are_found_under_their_terms(model, key):
    """By the last part of the name, whatever its case."""
    found = terms_of(model)
    assert (found.key if found else None) == key


def test_the_table_says_where_each_terms_stand():
    """An entry without a page to read would be hearsay."""
    assert all(terms.url.startswith("https://") and terms.bars for terms in known_terms())


@pytest.mark.parametrize(
    ("accepts", "words"),
    [
        ({"terms": ["opnai"]}, "did you mean 'openai'"),
        ({"unlicensed": ["wb"]}, "did you mean 'web'"),
        ({"licence": []}, "unknown key 'licence'"),
        (["openai"], "expected a table"),
    ],
)
def test_what_a_recipe_accepts_is_checked(write_recipe, accepts, words):
    """A typo would accept nothing: it is an error."""
    path = write_recipe({"web": TEXTS})
    table = yaml.safe_load(path.read_text(encoding="utf-8")) | {"accepts": accepts}
    with pytest.raises(RecipeError, match=words):
        parse_recipe(table, path.parent)


def test_a_resolved_recipe_accepts_the_same(write_recipe, tmp_path):
    """What a version's recipe says is what a rebuild reads."""
    stored = built(write_recipe, tmp_path, {"terms": ["openai"]}, teacher="gpt-4")
    text = (stored.path / "recipe.yaml").read_text(encoding="utf-8")
    assert yaml.safe_load(text)["accepts"] == {"unlicensed": [], "terms": ["openai"]}
    path = stored.path / "recipe.yaml"
    made = load_recipe(path, {"web": str(tmp_path / "recipe" / "web.json")})
    assert made.accepts.terms == ("openai",)


def test_a_check_foresees_the_gate(write_recipe):
    """Before any data is read: licences and terms that would stop a publish are told."""
    path = write_recipe({"web": TEXTS})
    table = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert foreseen(parse_recipe(table, path.parent)) == ()
    table["sources"][0] |= {"license": "", "teacher": "gpt-4"}
    told = foreseen(parse_recipe(table, path.parent))
    assert ["'web' names no licence" in told[0], "OpenAI" in told[1]] == [True, True]
    table["accepts"] = {"unlicensed": ["web"], "terms": ["openai"]}
    assert foreseen(parse_recipe(table, path.parent)) == ()
