"""Bespoke Curator: python curator_run.py BASE_URL MODEL PROMPTS, in its own environment.

The time is from the first request made to the last answer read, as Curator writes them down beside
its answers; what it does before and after (its cache, its dataset) is not in it.
"""

import json
import os
import sys
import tempfile
from datetime import datetime
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from line import CONCURRENCY, TEMPERATURE, TOKENS, read, tell

NO_LIMIT = 1_000_000_000  # requests or tokens a minute
ALONE = {
    "CURATOR_VIEWER": "0",
    "HF_HUB_OFFLINE": "1",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "TELEMETRY_ENABLED": "false",
    "TOKENIZERS_PARALLELISM": "false",
}


def tokenizers() -> str:
    """litellm's copy of cl100k_base, which Curator would otherwise load from the network."""
    return str(Path(find_spec("litellm").origin).parent / "litellm_core_utils" / "tokenizers")


def first_to_last(folder: Path) -> float:
    made, done = [], []
    for path in folder.glob("responses_*.jsonl"):
        for line in path.read_bytes().splitlines():
            row = json.loads(line)
            made.append(datetime.fromisoformat(row["created_at"]))
            done.append(datetime.fromisoformat(row["finished_at"]))
    return (max(done) - min(made)).total_seconds()


def main(url: str, model: str, path: str) -> None:
    llm = import_module("bespokelabs.curator").LLM(
        model_name=model,
        backend="openai",
        generation_params={"max_tokens": TOKENS, "temperature": TEMPERATURE},
        backend_params={
            "base_url": url,
            "api_key": "x",
            "max_concurrent_requests": CONCURRENCY,
            "max_requests_per_minute": NO_LIMIT,
            "max_tokens_per_minute": NO_LIMIT,
        },
    )
    response = llm(read(path))
    answers = sum(bool(answer) for answer in response.dataset["response"])
    seconds = first_to_last(Path(response.cache_dir))
    tell("Curator", version("bespokelabs-curator"), seconds, answers)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as cache:
        os.environ.update(ALONE, CURATOR_CACHE_DIR=cache, HF_HOME=cache)
        os.environ["TIKTOKEN_CACHE_DIR"] = tokenizers()
        main(*sys.argv[1:])
