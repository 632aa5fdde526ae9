"""Seed examples: a file beside the recipe."""

from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from imitation_data.errors import SourceError
from imitation_data.readers.files import find_files
from imitation_data.readers.json_records import RawRecord
from imitation_data.readers.raw import SUFFIXES, read_raw

_PROMPTS = ("instruction", "question", "prompt", "q")
_ANSWERS = ("output", "answer", "response", "a")


@dataclass(frozen=True, slots=True)
class Seed:
    """One example.

    Attributes:
        id: the seed's own, else a digest of what it says.
        prompt: a question or an instruction.
        answer: what answers it; of a task, the output of its first instance.
        input: of the first instance of a task.
        classification: whether the task is one of classification.
    """

    id: str
    prompt: str
    answer: str = ""
    input: str = ""
    classification: bool = False


def read_seeds(path: Path) -> tuple[Seed, ...]:
    """Read seeds: records with a prompt (`instruction`, `question` or `prompt`).

    Raises:
        SourceError: there is no such file, or a record is no seed.
    """
    seeds = []
    for record in read_raw(find_files(path, SUFFIXES)):
        if not isinstance(record, RawRecord):
            raise SourceError(str(record))
        seeds.append(_seed(record))
    if not seeds:
        raise SourceError(f"{path}: holds no seeds")
    return tuple(seeds)


def _seed(record: RawRecord) -> Seed:
    row = record.value
    if not isinstance(row, dict):
        raise SourceError(f"{record.where}: found no object; expected a seed with named fields")
    prompt = next((row[name] for name in _PROMPTS if isinstance(row.get(name), str)), "")
    if not prompt.strip():
        raise SourceError(
            f"{record.where}: found no text in {', '.join(_PROMPTS)}; expected a seed"
        )
    instances = row.get("instances")
    first = instances[0] if isinstance(instances, list) and instances else row
    inner = first if isinstance(first, dict) else {}
    answer = next((inner[name] for name in _ANSWERS if isinstance(inner.get(name), str)), "")
    given = inner.get("input")
    name = row.get("id")
    return Seed(
        str(name) if name else blake2b(prompt.encode(), digest_size=8).hexdigest(),
        prompt.strip(),
        answer.strip(),
        given.strip() if isinstance(given, str) else "",
        row.get("is_classification") is True,
    )
