"""`messages`: Parquet with all columns of the row, and turns as role and content.

    id, messages [{"role": "user", "content": "…"}, {"role": "assistant", …}], source, …

What TRL calls the conversational language-modelling format. Types come with the file, so that
nothing is guessed when it is loaded.
"""

from imitation_data.publish.form import Form, SplitFiles, no_misfit
from imitation_data.publish.form_snippets import (
    AXOLOTL,
    LLAMA_FACTORY,
    TRL,
    axolotl_yaml,
    llama_factory_json,
    load_line,
)

ROLE_WORDS = ("system", "user", "assistant")


def _load(files: SplitFiles) -> dict[str, str]:
    keys = {
        "formatting": "sharegpt",
        "columns": {"messages": "messages"},
        "tags": {
            "role_tag": "role",
            "content_tag": "content",
            "user_tag": "user",
            "assistant_tag": "assistant",
            "system_tag": "system",
        },
    }
    return {
        TRL: load_line(files),
        AXOLOTL: axolotl_yaml(files, "messages", "role", "content", ROLE_WORDS),
        LLAMA_FACTORY: llama_factory_json(files, keys),
    }


MESSAGES = Form("messages", "any row", no_misfit, _load)
