"""HTML cleaning of whole conversations, side by side with FastChat's `clean_sharegpt`.

Both run on the same conversations in ShareGPT's raw form, in one process, in turns, and processor
time counts, so that another program on the machine changes little: FastChat's
per-conversation function `clean_html_one_sample` (roles, blocked words, HTML, empty turns) and our
steps `markdown`, `roles` and `blank`, rows built from the same dictionaries included.

    make bench NAME=html_cleaning
"""

import json
import sys
from collections.abc import Callable, Iterator
from copy import deepcopy
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from statistics import median
from time import process_time
from types import ModuleType

from imitation_data.conversation import Conversation, Message
from imitation_data.ledger import Kept
from imitation_data.rows.blank import Blank
from imitation_data.rows.markdown import Markdown
from imitation_data.rows.roles import Roles
from tests.bench.machine import calibration
from tests.rows.sharegpt_html import to_page_html

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
ROUNDS = 3
CONVERSATIONS = 300
ROLES = {"human": "user", "gpt": "assistant"}
Sample = dict[str, object]


def conversations() -> list[Sample]:
    """Real questions and answers in ShareGPT's raw form: human turns plain, gpt turns HTML."""
    samples = []
    for number, turns in enumerate(_dialogues()):
        texts = [text if index % 2 == 0 else to_page_html(text) for index, text in enumerate(turns)]
        # FastChat leaves these at the first such turn, which would be no measurement.
        if not any(word in text.lower() for text in texts for word in ("openai", "chatgpt")):
            pairs = [
                {"from": ("human", "gpt")[index % 2], "value": text}
                for index, text in enumerate(texts)
            ]
            samples.append({"id": f"c{number}", "conversations": pairs})
    return samples[:CONVERSATIONS]


def _dialogues() -> Iterator[list[str]]:
    for line in (DATA / "oasst" / "en_100_tree.jsonl").read_text().splitlines():
        for thread in _threads(json.loads(line)["prompt"]):
            even = thread[: len(thread) // 2 * 2]
            if even:
                yield even
                break
    answers = [
        json.loads(line)["text"]
        for name in ("gpt35", "vicuna-13b")
        for line in (DATA / "judge" / f"answer_{name}.jsonl").read_text().splitlines()
    ]
    for first in range(0, len(answers), 4):
        yield [text for answer in answers[first : first + 4] for text in ("Go on.", answer)]
    tasks = json.loads((DATA / "gpteacher" / "codegen-instruct.json").read_text())
    for first in range(0, 900, 5):
        yield [text for task in tasks[first : first + 5] for text in _round(task)]


def _round(task: dict[str, str]) -> tuple[str, str]:
    """A task and its code, in the words a chat puts around code."""
    return (
        f"{task['instruction']}\n{task['input']}",
        (
            f"Here is one way to do it:\n\n```python\n{task['response']}\n```\n\n"
            "It works in two steps:\n\n1. **Read** the `input`.\n2. **Compute** the result.\n"
        ),
    )


def _threads(message: dict) -> Iterator[list[str]]:
    replies = sorted(message["replies"], key=lambda reply: -len(reply["replies"]))
    if not replies:
        yield [message["text"]]
    for reply in replies:
        for rest in _threads(reply):
            yield [message["text"], *rest]


def fastchat() -> ModuleType:
    """FastChat's module, loaded by its file: its package imports far more than it needs."""
    package = next(
        Path(path) / "fastchat" for path in sys.path if (Path(path) / "fastchat").is_dir()
    )
    spec = spec_from_file_location("clean_sharegpt", package / "data" / "clean_sharegpt.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def ours(samples: list[Sample]) -> int:
    """Clean with our steps; return the characters kept."""
    steps = (Markdown(), Roles(), Blank())
    kept = 0
    for sample in samples:
        turns = (Message(ROLES[turn["from"]], turn["value"]) for turn in sample["conversations"])
        rows = [Conversation(tuple(turns), origin=sample["id"])]
        for step in steps:
            outcomes = [step(row) for row in rows]
            rows = [row for out in outcomes if isinstance(out, Kept) for row in out.rows]
        kept += sum(len(text) for row in rows for text in row.texts())
    return kept


def theirs(clean: Callable[[Sample], tuple[Sample, int]], samples: list[Sample]) -> int:
    """Clean with FastChat; return the characters kept."""
    kept = 0
    for sample in samples:
        cleaned, problem = clean(sample)
        if not problem:
            kept += sum(len(turn["value"]) for turn in cleaned["conversations"])
    return kept


def measure(rounds: int) -> dict[str, float]:
    """Run both in turns; the best of `rounds` counts."""
    samples = conversations()
    html = sum(len(turn["value"]) for sample in samples for turn in sample["conversations"])
    clean = fastchat().clean_html_one_sample
    times: dict[str, list[float]] = {"ours": [], "theirs": []}
    for _ in range(rounds):
        copies = deepcopy(samples)
        start = process_time()
        ours(samples)
        times["ours"].append(process_time() - start)
        start = process_time()
        theirs(clean, copies)
        times["theirs"].append(process_time() - start)
    best, slow = min(times["ours"]), min(times["theirs"])
    pairs = zip(times["theirs"], times["ours"], strict=True)
    return {
        "conversations": len(samples),
        "html_megabytes": html / 1e6,
        "ours_per_second": len(samples) / best,
        "fastchat_per_second": len(samples) / slow,
        "ours_megabytes_per_second": html / 1e6 / best,
        "fastchat_megabytes_per_second": html / 1e6 / slow,
        "ratio": slow / best,
        "ratio_median": median(their / our for their, our in pairs),
        "calibration_seconds": calibration(),
    }


def main() -> None:
    """Print one figure a line."""
    if not DATA.is_dir():
        raise SystemExit(f"{DATA} is not there; this benchmark needs the shared data")
    for name, value in measure(ROUNDS).items():
        print(f"{name:>30} {value:12,.3f}")


if __name__ == "__main__":
    main()
