"""The forms by name, reading their files back, and how trainers load them."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from imitation_data.conversation import messages_in
from imitation_data.errors import SourceError
from imitation_data.publish.form import Form, Lines, Messages, SplitFiles
from imitation_data.publish.form_alpaca import ALPACA
from imitation_data.publish.form_chatml import CHATML
from imitation_data.publish.form_messages import MESSAGES
from imitation_data.publish.form_sharegpt import SHAREGPT

FORMS: Mapping[str, Form] = MappingProxyType(
    {form.name: form for form in (MESSAGES, SHAREGPT, ALPACA, CHATML)}
)


def how_to_load(form: Form, name: str, split: str = "train", files: int = 1) -> dict[str, str]:
    """Write what loads an exported split, by trainer.

    Args:
        form: the form it was exported in.
        name: the export's folder, as the trainer is told of it.
        split: the split to load.
        files: how many files it has.

    Returns:
        For `TRL`, Python that ends with a dataset `rows` for SFTTrainer; for `axolotl`, YAML for
        its configuration; for `LLaMA-Factory`, entries for `dataset_info.json`. A trainer that
        would lose a part of the rows is left out.
    """
    return form.load(SplitFiles(name, split, files, form.suffix))


def rows_of(form: Form, file: Path) -> Iterator[Messages]:
    """Read the turns of an exported file back, row by row.

    Raises:
        SourceError: the file cannot be read, or is not of this form; the message says where.
    """
    try:
        if form.lines is None:
            with pq.ParquetFile(file) as parquet:
                for group in range(parquet.num_row_groups):
                    yield from messages_in(parquet.read_row_group(group, columns=["messages"]))
            return
        with file.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                yield _messages(form.lines, line, f"{file.name}, line {number:,}", form.name)
    except (OSError, KeyError, pa.ArrowException) as error:
        raise SourceError(
            f"{file}: cannot be read as an export of {form.name} ({error})"
        ) from error


def _messages(form: Lines, line: bytes, where: str, name: str) -> Messages:
    try:
        return form.messages(orjson.loads(line))
    except (KeyError, TypeError, ValueError) as error:
        raise SourceError(
            f"{where}: is no row in the form {name} ({error!r}); expected what `export` wrote"
        ) from error
