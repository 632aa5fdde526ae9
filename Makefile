# Everything runs from a fresh clone; each target sets up what it needs in .venv.
PYTHON ?= python3
VENV := .venv
TORCH ?= torch==2.13.0
BIN := $(VENV)/bin

.PHONY: demo test test-all bench clean

demo: $(VENV)/.base
	$(BIN)/imitation-data build cards/sharegpt-mix --store store
	$(BIN)/imitation-data show sharegpt-mix --store store

test: $(VENV)/.dev
	$(BIN)/python -m pytest -n logical --dist worksteal

test-all: $(VENV)/.dev $(VENV)/.readers
	$(BIN)/python -m pytest -n logical --dist worksteal -m ""

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

# Others that read what is published, each in an environment of its own.
$(VENV)/.readers: $(VENV)/.made
	$(PYTHON) -m venv $(VENV)/readers/olah
	$(VENV)/readers/olah/bin/python -m pip install --quiet --disable-pip-version-check olah==0.5.4
	$(PYTHON) -m venv $(VENV)/readers/trl
	$(VENV)/readers/trl/bin/python -m pip install --quiet --disable-pip-version-check $(TORCH)
	$(VENV)/readers/trl/bin/python -m pip install --quiet --disable-pip-version-check trl==1.16.0
	@touch $@

# FastChat's cleaning needs three small packages; its own list would bring a web server along.
$(VENV)/.bench: $(VENV)/.dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check beautifulsoup4 markdownify==0.11.6 tqdm rensa==0.5.0
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps fschat==0.2.36
	@touch $@

clean:
	rm -rf $(VENV) store build .mypy_cache .ruff_cache .pytest_cache .hypothesis
