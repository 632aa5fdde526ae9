# Everything runs from a fresh clone; each target sets up what it needs in .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test test-all bench clean

demo: $(VENV)/.base
	$(BIN)/imitation-data build cards/sharegpt-mix --store store
	$(BIN)/imitation-data show sharegpt-mix --store store

test: $(VENV)/.dev
	$(BIN)/python -m pytest

test-all: $(VENV)/.dev
	$(BIN)/python -m pytest -m ""

bench: $(VENV)/.bench
	$(BIN)/python -m tests.bench.$(NAME)

$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("imitation-data needs Python 3.11 or newer: make PYTHON=python3.11 …")'
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.base: $(VENV)/.made pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.made pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[dev]"
	@touch $@ $(VENV)/.base

# FastChat's cleaning needs three small packages; its own list would bring a web server along.
$(VENV)/.bench: $(VENV)/.dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check beautifulsoup4 markdownify==0.11.6 tqdm rensa==0.5.0
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps fschat==0.2.36
	@touch $@

clean:
	rm -rf $(VENV) store build .mypy_cache .ruff_cache .pytest_cache .hypothesis
