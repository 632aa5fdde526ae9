"""Benchmarks that are known by name, and which fields of their records hold what."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Columns:
    """Which fields of a record hold what.

    Attributes:
        question: of a list the first entry counts; in tables without a header, columns are called
            `1`, `2`, …
        choices: one field with a list, or one for each option.
        answers: fields with an answer or a list of them; where there are choices, its letter or
            its number from 0 will do.
        id: the item's own name.
    """

    question: str = "question"
    choices: tuple[str, ...] = ()
    answers: tuple[str, ...] = ()
    id: str = ""


@dataclass(frozen=True)
class Spec:
    """A benchmark that is known by name.

    Attributes:
        title: its name in print.
        license: SPDX, of the items.
        forms: the columns of the forms it comes in, tried in order.
        repo: the dataset on the Hub; empty where the items come with the package.
        files: which of its files are meant.
    """

    title: str
    license: str
    forms: tuple[Columns, ...]
    repo: str = ""
    files: tuple[str, ...] = ()


_FOUR = ("2", "3", "4", "5")
KNOWN: Mapping[str, Spec] = {
    "mmlu": Spec(
        "MMLU",
        "MIT",
        (Columns("question", ("choices",), ("answer",)), Columns("1", _FOUR, ("6",))),
        "cais/mmlu",
        ("all/test-*.parquet",),
    ),
    "nq_open": Spec(
        "Natural Questions, open",
        "CC-BY-SA-3.0",
        (Columns("question", (), ("answer",)),),
        "google-research-datasets/nq_open",
        ("nq_open/validation-*.parquet",),
    ),
    "gsm8k": Spec(
        "GSM8K",
        "MIT",
        (Columns("question", (), ("answer",)),),
        "openai/gsm8k",
        ("main/test-*.parquet",),
    ),
    "mgsm": Spec(
        "MGSM",
        "CC-BY-SA-4.0",
        (Columns("question", (), ("answer_number",)), Columns("1", (), ("2",))),
        "juletxara/mgsm",
        ("mgsm_*.tsv",),
    ),
    "mt_bench": Spec(
        "MT-bench",
        "Apache-2.0",
        (Columns("turns", id="question_id"), Columns("prompt", id="prompt_id")),
        "HuggingFaceH4/mt_bench_prompts",
        ("data/*.parquet",),
    ),
    "truthful_qa": Spec(
        "TruthfulQA",
        "Apache-2.0",
        (
            Columns("question", (), ("best_answer", "correct_answers")),
            Columns("Question", (), ("Best Answer", "Correct Answers")),
        ),
        "truthfulqa/truthful_qa",
        ("generation/*.parquet",),
    ),
    "human_eval": Spec(
        "HumanEval", "MIT", (Columns("prompt", (), ("canonical_solution",), "task_id"),)
    ),
    "koala": Spec("Koala test set", "Apache-2.0", (Columns("prompt", id="id"),)),
    "vicuna": Spec("Vicuna benchmark", "Apache-2.0", (Columns("turns", id="question_id"),)),
}
PACKAGED = tuple(sorted(name for name, spec in KNOWN.items() if not spec.repo))
