"""distilabel: python distilabel_run.py BASE_URL MODEL PROMPTS, in its own environment.

A replica is a process that sends a batch all at once, and the next one when its last answer is in:
at most `BATCH` times `REPLICAS` requests are under way. The prompts are loaded as one batch; loaded
in batches of `BATCH` the replicas would take turns. The time is from the first batch given to the
model class to the last one it returned; starting processes is not in it.
"""

import os
import sys
import tempfile
import time
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

from line import CONCURRENCY, TEMPERATURE, TOKENS, read, tell

REPLICAS = 2  # the fastest on two cores: one replica of 256 takes longer
BATCH = CONCURRENCY // REPLICAS
ALONE = {
    "DISTILABEL_LOG_LEVEL": "WARNING",
    "HF_HUB_OFFLINE": "1",
    "TOKENIZERS_PARALLELISM": "false",
}


def timed(generate: Callable[..., object], path: Path) -> Callable[..., object]:
    """Note when each call starts and ends; the pipeline's forked processes inherit it."""

    def wrapper(*args: object, **options: object) -> object:
        started = time.monotonic()
        outputs = generate(*args, **options)
        with path.open("a") as file:
            file.write(f"{started} {time.monotonic()}\n")
        return outputs

    return wrapper


def first_to_last(path: Path) -> float:
    times = [[float(word) for word in line.split()] for line in path.read_text().splitlines()]
    return max(end for _, end in times) - min(start for start, _ in times)


def main(folder: Path, url: str, model: str, path: str) -> None:
    models, steps = import_module("distilabel.models"), import_module("distilabel.steps")
    prompts, calls = read(path), folder / "calls.txt"
    models.OpenAILLM.generate = timed(models.OpenAILLM.generate, calls)
    with import_module("distilabel.pipeline").Pipeline(name="bench", cache_dir=folder) as pipeline:
        load = steps.LoadDataFromDicts(
            data=[{"instruction": prompt} for prompt in prompts], batch_size=len(prompts)
        )
        answer = import_module("distilabel.steps.tasks").TextGeneration(
            llm=models.OpenAILLM(
                model=model,
                base_url=url,
                api_key="x",
                generation_kwargs={"max_new_tokens": TOKENS, "temperature": TEMPERATURE},
            ),
            input_batch_size=BATCH,
            resources=steps.StepResources(replicas=REPLICAS),
            add_raw_input=False,
            add_raw_output=False,
        )
        load.connect(answer)
    result = pipeline.run(use_cache=False)
    answers = sum(bool(text) for text in result["default"]["train"]["generation"])
    tell("distilabel", version("distilabel"), first_to_last(calls), answers)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as cache:
        os.environ.update(ALONE, DISTILABEL_CACHE_DIR=cache, HF_HOME=cache)
        main(Path(cache), *sys.argv[1:])
