"""The card is valid for the Hub and for Markdown, whatever the text, and measured throughout."""

from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from imitation_data.conversation import Conversation, Message, to_batch
from imitation_data.errors import RecipeError
from imitation_data.report.card import card_md, card_problems
from imitation_data.report.example import FACTS, SUMMARY
from imitation_data.report.facts import Facts, Tally
from imitation_data.report.hub import front_matter, hub_license, license_keys, size_category
from imitation_data.report.summary import BuildSummary

MARKDOWN = MarkdownIt("commonmark").enable("table")


def parts(card):
    """The front matter as read by YAML, and the body."""
    _, head, body = card.split("---\n", 2)
    return yaml.safe_load(head), body


def structure(body):
    """What Markdown makes of it: kinds of block and of inline, with text left out."""
    found = []
    for token in MARKDOWN.parse(body):
        found.append(token.type)
        found += [kid.type for kid in token.children or () if kid.type not in {"text", "softbreak"}]
    return found


def test_every_part_of_the_summary_is_on_the_card():
    """Each number, reason, example, licence, check and limit of the example."""
    matter, body = parts(card_md(None, SUMMARY))
    assert matter == {
        "pretty_name": "example",
        "license": "cc-by-4.0",
        "language": ["en"],
        "size_categories": ["n<1K"],
        "task_categories": ["text-generation"],
        "tags": ["conversational", "imitation", "imitation-data"],
        "configs": [
            {
                "config_name": "default",
                "data_files": [{"split": "train", "path": "data/train-*.parquet"}],
            }
        ],
    }
    for expected in (
        "# example 0.1.0\n",
        "2 conversations with 4 turns, 120 characters and 30 tokens (counted under `cl100k_base`)",
        "| `forum` | 2 | 100.0 % | 4 | 120 | 30 |\n",
        "| `en` | 2 | 100.0 % | 4 | 120 | 30 |\n",
        "| Turns | 2 | 2 | 2 | 2.0 | 2 | 2 |\n",
        "| `forum` | `messages` | `CC-BY-4.0` | `a-model` | 1 | 4.1 kB | 3 | 1 |",
        "| `length` | `characters: [1, 1000]` | 4 | 0 | 2 | 2 |\n",
        "- dropped, `too_long`: 2\n",
        "- edited, `trimmed`: 1\n",
        "- for example `forum/7:0`, `too_long`, found `1204`, limit `1000`, see `forum/3:0`",
        ": `as long as`\n",
        "| `min_rows` | passed | `2 rows` | `at least 1` |\n",
        "- Languages of a few words are guessed.\n",
        'load_dataset("ORGANISATION/example", revision="v0.1.0")',
        "imitation-data rebuild example@0.1.0 --source forum=PATH\n",
        "```yaml\nname: example\n```\n",
    ):
        assert expected in body, expected


def test_hostile_text_changes_no_structure(hostile):
    """With an attack in every field, YAML is valid and Markdown parses to the same structure."""
    matter, body = parts(card_md(None, hostile))
    assert structure(body) == structure(parts(card_md(None, SUMMARY))[1])
    assert matter["license"] == "other"
    assert matter["pretty_name"].startswith("example </title>")
    assert not {"\u202e", "\x1b", "\ud800"} & set(body)


@settings(max_examples=25, deadline=None)
@given(text=st.text(max_size=30) | st.text("`|\\<>[]()*_#-+=~:\n\r\t a1.\u202e", max_size=30))
def test_no_text_changes_the_structure(poisoned, text):
    """The same for any text whatever."""
    text = f"x{text}x"
    matter, body = parts(card_md(None, poisoned(text)))
    assert structure(body) == structure(parts(card_md(None, poisoned("xx")))[1])
    assert matter["configs"][0]["data_files"][0]["split"] == "train" + text


def test_an_empty_dataset_has_a_card():
    """No rows, steps, sources, tokens: still valid, with unknown licence and no configs."""
    matter, body = parts(card_md(None, BuildSummary("e", "0.1.0", "00", "", "", None, Facts())))
    assert matter["license"] == "unknown"
    assert "configs" not in matter
    assert "tokens" not in body.split("## Load it")[0]


def test_the_hub_library_and_datasets_read_the_card(tmp_path, monkeypatch):
    """`load_dataset` finds the splits that the card names, in a folder as it is published."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    datasets = pytest.importorskip("datasets")
    from huggingface_hub import DatasetCard  # noqa: PLC0415 - imported offline

    row = Conversation((Message("user", "hi"), Message("assistant", "ho")), "a", "1", license="MIT")
    (tmp_path / "data").mkdir()
    for split in ("train", "test"):
        rows = pa.Table.from_batches([to_batch([row] * (3 if split == "train" else 1))])
        pq.write_table(rows, tmp_path / "data" / f"{split}-00000-of-00001.parquet")
    summary = replace(SUMMARY, facts=replace(FACTS, splits={"test": Tally(1), "train": Tally(3)}))
    card = card_md(None, summary)
    (tmp_path / "README.md").write_text(card, encoding="utf-8")
    assert DatasetCard(card).data.license == "cc-by-4.0"
    found = datasets.load_dataset(str(tmp_path), cache_dir=str(tmp_path / "cache"))
    assert {split: rows.num_rows for split, rows in found.items()} == {"train": 3, "test": 1}


def test_other_forms_are_loaded_split_by_split():
    """The lines for JSON Lines keep the rows of each split in a split of its own."""
    facts = replace(FACTS, splits={"test": Tally(1), "train": Tally(3)})
    card = card_md(None, replace(SUMMARY, facts=facts, forms=("sharegpt",)))
    files = 'data_files={"train": f"{files}/train-*.jsonl", "test": f"{files}/test-*.jsonl"})'
    assert f'rows = load_dataset("json", {files}\n' in card


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["MIT"], {"license": "mit"}),
        (["CC-BY-SA-4.0"], {"license": "cc-by-sa-4.0"}),
        (["GPL-3.0-only"], {"license": "gpl-3.0"}),
        (["ODC-By-1.0"], {"license": "odc-by"}),
        ([], {"license": "unknown"}),
        ([""], {"license": "unknown"}),
        (["MIT", "mit"], {"license": "mit"}),
        (
            ["MIT", "CC-BY-4.0"],
            {"license": "other", "license_name": "cc-by-4.0-and-mit"},
        ),
        (["MIT", ""], {"license": "other", "license_name": "mit-and-unknown"}),
        (["Ask the authors!"], {"license": "other", "license_name": "ask-the-authors"}),
        (
            [f"Terms {n} of a long name" for n in range(9)],
            {"license": "other", "license_name": "mixed"},
        ),
    ],
)
def test_licences_in_the_hubs_words(names, expected):
    """One known licence by its identifier; several or unknown ones are `other` with a name."""
    assert license_keys(names) == expected


def test_every_licence_of_the_hub_is_its_own_identifier():
    """Identifiers are lower case; what the Hub does not list has none."""
    assert hub_license("Apache-2.0") == "apache-2.0"
    assert hub_license("my-own-licence") is None


@pytest.mark.parametrize(
    ("rows", "expected"),
    [(0, "n<1K"), (999, "n<1K"), (1000, "1K<n<10K"), (10**6, "1M<n<10M"), (10**12, "n>1T")],
)
def test_size_category(rows, expected):
    """The Hub's buckets are half open."""
    assert size_category(rows) == expected


def test_languages_of_a_few_rows_are_not_claimed():
    """At least 1 % of the rows, largest first; unless every language has less."""
    groups = {"en": Tally(950), "de": Tally(45), "la": Tally(4), "": Tally(1), "x y": Tally(300)}
    facts = replace(FACTS, total=Tally(1000), languages=groups)
    assert front_matter(replace(SUMMARY, facts=facts))["language"] == ["en", "de"]
    facts = replace(facts, languages={"la": Tally(4), "eo": Tally(5)})
    assert front_matter(replace(SUMMARY, facts=facts))["language"] == ["eo", "la"]


def test_own_template_and_front_matter():
    """A dataset's own template replaces ours; its front matter is laid over the measured one."""
    template = (
        "---\ntags: [mine]\npretty_name: My Mix\n---\n"
        "Rows: {{ facts.total.rows | number }}"
        "{% for source in summary.sources %}, {{ source.name }}{% endfor %}\n"
    )
    matter, body = parts(card_md(template, SUMMARY))
    assert (matter["tags"], matter["pretty_name"], matter["language"]) == (
        ["mine"],
        "My Mix",
        ["en"],
    )
    assert body.strip() == "Rows: 2, forum"


def test_own_template_is_safe_without_trying(poisoned):
    """A template that prints text plainly still prints it as text."""
    summary = poisoned("<b>*x*</b> [a](javascript:b)")
    card = card_md("{{ summary.name }}", summary)
    assert structure(parts(card)[1]) == ["paragraph_open", "inline", "paragraph_close"]


@pytest.mark.parametrize(
    ("template", "line", "words"),
    [
        ("one\n{% if %}\n", 2, "Expected an expression"),
        ("one\n\n{{ summary.nam }}\n", 3, "nam"),
        ("{{ 1 / 0 }}", 1, "division by zero"),
        ("one\n{{ facts.total.rows + 'x' }}\n", 2, "unsupported operand"),
        ("one\n{{ summary | nope }}\n", 2, "nope"),
        ("---\ntags: [a\n---\none\n", 3, "front matter"),
        ("---\n- a\n---\none\n", 2, "key: value"),
        ("---\ntags: [a]\n---\none\n{{ nope }}\n", 5, "'nope' is undefined"),
        ("{{ ''.__class__.__mro__ }}", 1, "unsafe"),
        ("one\n{{ range(10 ** 9) | list }}\n", 2, "range"),
        ("one\n{% include 'nowhere.md' %}\n", 2, "nowhere.md"),
    ],
)
def test_a_broken_template_names_its_line(template, line, words):
    """File, line and reason, before the build and at its end."""
    with pytest.raises(RecipeError) as caught:
        card_md(template, SUMMARY, "cards/mix/card.md.jinja")
    (problem,) = caught.value.problems
    assert problem.startswith(f"line {line}: ")
    assert words in problem
    assert "cards/mix/card.md.jinja" in str(caught.value)
    assert card_problems(template) == (problem,)


def test_a_sound_template_has_no_problems():
    """The example has something in every field, so a sound template passes before the build."""
    assert card_problems("{{ summary.steps[1].examples[0].evidence }}") == ()
