# Two commands matter: `make demo` and `make test`. Each makes .venv from the lock file first; nothing else by hand.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
# Errors, and no warnings: a machine's pip configuration may have one for every package.
PIP    := $(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check

.PHONY: demo test check lint types format docs catalogues corpus bench-short lock clean

demo: $(STAMP)
	$(BIN)/inkpost demo $(ARGS)

test: $(STAMP)
	$(BIN)/python -m pytest -n 2 --dist worksteal $(ARGS)

check: test lint types

# Whole kinds of real and hostile input; says so and goes on where there is no corpus.
corpus: $(STAMP)
	for kind in $$($(BIN)/python -m tests.corpus kinds); do \
	    echo "# $$kind"; $(BIN)/python -m tests.corpus $$kind || [ $$? = 2 ] || exit 1; \
	done

# Every benchmark in the form that takes seconds: it must run, its figures mean nothing.
bench-short: $(STAMP)
	$(BIN)/python -m tests.bench all --short

# What is made from the code: the example configuration and the pages of the commands.
docs: $(STAMP)
	$(BIN)/inkpost example > config.example.toml
	$(BIN)/inkpost manual docs/commands

# The texts of the code into core/locale/*.po; says what is not translated yet.
catalogues: $(STAMP)
	$(BIN)/python -m tests.catalogues

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP)
	$(BIN)/mypy

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Versions and hashes only, and no index host, so that any mirror of the package index will do.
lock:
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	    --custom-compile-command 'make lock' --group dev --extra fast pyproject.toml -o requirements.lock

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache

$(STAMP): requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(PIP) --require-hashes -r requirements.lock
	$(PIP) --no-deps --no-build-isolation -e .
	touch $@
