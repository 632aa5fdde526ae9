"""What a user writes to load an export: Python for TRL, YAML for axolotl, JSON for LLaMA-Factory.

Sources: TRL, "Dataset formats and types"; axolotl, docs/dataset-formats/conversation.qmd;
LLaMA-Factory, data/README.md.
"""

import json
from collections.abc import Mapping, Sequence

from imitation_data.publish.form import SplitFiles

TRL, AXOLOTL, LLAMA_FACTORY = "TRL", "axolotl", "LLaMA-Factory"

_KINDS = {".jsonl": "json", ".parquet": "parquet"}


def load_line(files: SplitFiles) -> str:
    """Return the Python that loads the split with `datasets`, as `rows`."""
    kind, split = _KINDS[files.suffix], _quoted(files.split)
    return (
        "from datasets import load_dataset\n\n"
        f"files = {{{split}: {_quoted(files.pattern)}}}\n"
        f'rows = load_dataset("{kind}", data_files=files, split={split})\n'
    )


def axolotl_yaml(
    files: SplitFiles, field: str, role: str, content: str, roles: Sequence[str]
) -> str:
    """Return the `datasets` entry for axolotl's `type: chat_template`.

    Args:
        files: where the files lie.
        field: the column that holds the turns.
        role: the key of a turn's role.
        content: the key of a turn's text.
        roles: the words for system, user and assistant.
    """
    words = "".join(
        f"      {name}: [{word}]\n"
        for name, word in zip(("system", "user", "assistant"), roles, strict=True)
    )
    return (
        "datasets:\n"
        f"  - path: {_quoted(files.folder)}\n"
        f"    ds_type: {_KINDS[files.suffix]}\n"
        f"    data_files: [{_quoted(files.pattern)}]\n"
        "    split: train\n"  # what `datasets` calls files that are given as a list
        "    type: chat_template\n"
        f"    field_messages: {field}\n"
        "    message_property_mappings:\n"
        f"      role: {role}\n"
        f"      content: {content}\n"
        f"    roles:\n{words}"
    )


def _quoted(text: str) -> str:
    """Write a text as Python, YAML and JSON alike read it."""
    return json.dumps(text, ensure_ascii=False)


def llama_factory_json(files: SplitFiles, keys: Mapping[str, object]) -> str:
    """Return the entries of `dataset_info.json`, one a file; the folder lies in `dataset_dir`.

    Args:
        files: where the files lie.
        keys: what the form adds to an entry: `formatting`, `columns`, `tags`.
    """
    stem = f"{files.folder.rstrip('/').rpartition('/')[2]}_{files.split}"
    names = files.names()
    titles = [stem] if len(names) == 1 else [f"{stem}_{number}" for number in range(len(names))]
    entries = {
        title: {"file_name": name, **keys} for title, name in zip(titles, names, strict=True)
    }
    return json.dumps(entries, indent=2, ensure_ascii=False) + "\n"
