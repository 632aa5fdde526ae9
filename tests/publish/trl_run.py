"""Runs under TRL's own interpreter: each snippet loads an export, SFTTrainer prepares it.

`python trl_run.py SNIPPETS.json FOUND.json` reads {form: Python that ends with `rows`} and writes,
by form, what each prepared row holds: all of its text, and the text that loss is taken on.
"""

import json
import os
import sys
import tempfile
from pathlib import Path

os.environ |= {"HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_OFFLINE": "1", "CUDA_VISIBLE_DEVICES": ""}

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
from trl import SFTConfig, SFTTrainer

START, END, PAD = "<|im_start|>", "<|im_end|>", "<pad>"
TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n"
    "{% if m['role'] == 'assistant' %}"
    "{% generation %}{{ m['content'] }}<|im_end|>{% endgeneration %}"
    "{% else %}{{ m['content'] }}<|im_end|>{% endif %}"
    "{{ '\\n' }}{% endfor %}"
)


def tiny_tokenizer():
    """Bytes and three special tokens."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(special_tokens=[START, END, PAD], initial_alphabet=alphabet)
    tokenizer.train_from_iterator([], trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token=END, pad_token=PAD, chat_template=TEMPLATE
    )


def tiny_model(words):
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=words,
            hidden_size=8,
            intermediate_size=8,
            num_hidden_layers=1,
            num_attention_heads=1,
            num_key_value_heads=1,
        )
    )


def prepared(snippet, tokenizer, model, folder):
    """What SFTTrainer would train on, as text."""
    names = {}
    exec(snippet, names)
    options = SFTConfig(
        output_dir=folder,
        use_cpu=True,
        bf16=False,
        report_to="none",
        assistant_only_loss=True,
        max_length=None,
    )
    trainer = SFTTrainer(model, options, train_dataset=names["rows"], processing_class=tokenizer)
    return [
        {
            "all": tokenizer.decode(row["input_ids"], clean_up_tokenization_spaces=False),
            "loss": tokenizer.decode(
                [token for token in row["labels"] if token != -100],
                clean_up_tokenization_spaces=False,
            ),
        }
        for row in trainer.train_dataset
    ]


def main():
    snippets = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    tokenizer = tiny_tokenizer()
    model = tiny_model(len(tokenizer))
    with tempfile.TemporaryDirectory() as folder:
        found = {
            form: prepared(snippet, tokenizer, model, folder) for form, snippet in snippets.items()
        }
    Path(sys.argv[2]).write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main()
