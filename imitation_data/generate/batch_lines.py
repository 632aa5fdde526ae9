"""The lines of a batch: requests as they are handed in, and what comes back."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from imitation_data.errors import TeacherError
from imitation_data.generate.budget import Budget, Cost
from imitation_data.generate.client import Client, TransientError, loads, read_answer
from imitation_data.generate.journal import Try
from imitation_data.generate.journal_batches import Collected, InBatch
from imitation_data.generate.redact import redacted
from imitation_data.generate.request import Answer


def line_of(one: Try) -> bytes:
    """A request as a line of a batch's file."""
    head = orjson.dumps({"custom_id": one.request.key, "method": "POST"})[:-1]
    return head + b',"url":"/v1/chat/completions","body":' + one.request.body + b"}\n"


@dataclass
class Lines:
    """Reads the lines that came back of one batch, and says what became of its requests.

    Attributes:
        left: requests of which no line told yet.
        found: what became of the others.
        again: reasons of those that are to be sent again, by key.
        failure: of a request that no further try helps.
    """

    client: Client
    budget: Budget
    left: dict[str, InBatch]
    status: str
    found: list[Collected] = field(default_factory=list)
    again: dict[str, str] = field(default_factory=dict)
    failure: TeacherError | None = None

    def read(self, line: bytes) -> None:
        """Read a line of the output or of the error file; one that tells nothing is passed over."""
        try:
            value = loads(line)
            asked = self.left.pop(value["custom_id"])
        except (ValueError, KeyError, TypeError):
            return
        key = asked.request.key
        try:
            answer = self._answer(value)
        except TransientError as error:
            self.again[key] = str(error)
            lost = self._cost(asked, None) if error.paid else None
            self.found.append(Collected(asked, None, lost))
        except TeacherError as error:
            self.failure = self.failure or error
            self.found.append(Collected(asked, None, None))
        else:
            answer = answer._replace(batch=True)
            self.found.append(Collected(asked, answer, self._cost(asked, answer)))

    def _answer(self, value: Mapping[str, Any]) -> Answer:
        """The answer in a line.

        Raises:
            TransientError: another try may help.
            TeacherError: none will.
        """
        response, error = value.get("response"), value.get("error")
        if not isinstance(response, dict):
            words = error.get("code") or error.get("message") if isinstance(error, dict) else error
            said = redacted(str(words or "no response"), self.client.teacher.secrets())
            raise TransientError(said, paid=False)
        status, body = response.get("status_code"), response.get("body")
        if status == 200:  # noqa: PLR2004 - OK
            return read_answer(body)
        return self.client.status(status if type(status) is int else 500, body)

    def _cost(self, asked: InBatch, answer: Answer | None) -> Cost:
        if answer is None or min(answer.input_tokens, answer.output_tokens) < 0:
            return asked.most  # not told: at most
        return self.budget.real(asked.request, answer)

    def rest(self) -> None:
        """Settle what no line told of: it was not begun, or, in a completed batch, got lost."""
        for key, asked in self.left.items():
            lost = self.status == "completed"
            if lost or self.status == "expired":
                self.again[key] = "no line came back" if lost else "the batch expired"
            self.found.append(Collected(asked, None, asked.most if lost else None))
        self.left = {}
