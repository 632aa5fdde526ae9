r"""HC3, the human and ChatGPT comparison corpus: a question and its answers of both kinds.

A row of `all.jsonl`, shortened:

    {"question": "Why is every book I hear about a \" NY Times # 1 Best Seller \" ?",
     "human_answers": ["Basically there are many categories of \" Best Seller \" . …"],
     "chatgpt_answers": ["There are many different best seller lists that are published by …"],
     "source": "reddit_eli5"}
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from imitation_data.conversation import Conversation, Message
from imitation_data.ledger import Drop
from imitation_data.readers import raw
from imitation_data.readers.files import SourceFile
from imitation_data.readers.json_records import RawRecord
from imitation_data.readers.quoting import kind
from imitation_data.readers.record import BadRecord, Record
from imitation_data.readers.shape import Row, Unfit, convert, kept_meta, list_in, text_in

_FIELDS = {"chatgpt": "chatgpt_answers", "human": "human_answers"}


@dataclass(frozen=True)
class HC3:
    """Reads HC3: one row per question and answer.

    Attributes:
        answers: `chatgpt` as in the paper, or `both`: ChatGPT's first, then those of people, whose
            rows have the teacher `human`.
        teacher: the teacher of ChatGPT's answers; empty leaves it to the recipe.
    """

    answers: Literal["chatgpt", "both"] = "chatgpt"
    teacher: str = ""

    REVISION: ClassVar[int] = 1
    LIBRARIES: ClassVar[tuple[str, ...]] = ()
    SUFFIXES: ClassVar[tuple[str, ...]] = raw.SUFFIXES
    TOGETHER: ClassVar[bool] = False

    def read(self, files: Sequence[SourceFile]) -> Iterator[Record | BadRecord]:
        """Yield one record per question.

        Its origin is `id` or `index`, else the digest of its bytes. The parts number the answers
        of the kinds that are read, so that an empty one (dropped, `empty_answer`) shifts nothing.
        """
        return convert(raw.read_raw(files), ("id", "index"), self._make)

    def _make(self, row: Row, origin: str, at: RawRecord) -> Record:
        question = Message("user", text_in(row, "question"))
        meta = kept_meta(at, row, ("source",))
        rows: list[Conversation] = []
        drops: list[Drop] = []
        part = 0
        for writer in ("chatgpt", "human") if self.answers == "both" else ("chatgpt",):
            teacher = "human" if writer == "human" else self.teacher or None
            for answer in _answers(row, _FIELDS[writer]):
                if answer and not answer.isspace():
                    turns = (question, Message("assistant", answer))
                    rows.append(
                        Conversation(turns, origin=origin, part=part, teacher=teacher, meta=meta)
                    )
                else:
                    drops.append(Drop("empty_answer", found=f"answer {part + 1} ({writer})"))
                part += 1
        if not part:
            drops.append(Drop("no_answer", found=0, limit=1))
        return Record(origin, tuple(rows), tuple(drops), at.edits)


def _answers(row: Row, name: str) -> Iterator[str]:
    if name not in row:
        raise Unfit(f"no field {name}", f"a list of answers in {name}")
    for number, answer in enumerate(list_in(row[name], name), start=1):
        if answer is not None and not isinstance(answer, str):
            raise Unfit(f"{kind(answer)} as number {number} of {name}", "a text")
        yield answer or ""
