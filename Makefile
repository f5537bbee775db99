# One command for each thing that people do here. The environment is made by the first target that needs it.
#
#   make demo              kill a worker in the middle of a run and see the run restarted (ARGS=--keep leaves it up)
#   make test              all tests, against a real development server (ARGS=... goes to pytest)
#   make test-uncached     integration and conformance with the workflow cache off: every task replays its history
#   make test-lowest       all tests, with the oldest dependencies that pyproject.toml allows, on Python 3.10 or newer
#   make check             lint, format and types
#   make bench             the figures of the README
#   make fuzz              schemathesis against the HTTP API (ARGS='--max-examples 100')
#   make cli-docs          record the session of docs/cli.md anew
#   make chaos             500 random runs under random disasters (ARGS='--seed 7 --runs 100')

PYTHON ?= python3
BIN := .venv/bin
ENVIRONMENT := .venv/.installed
ARGS ?=

.PHONY: demo test test-uncached test-lowest check bench fuzz chaos cli-docs

$(ENVIRONMENT): pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

demo: $(ENVIRONMENT)
	$(BIN)/python -m examples.demo $(ARGS)

test: $(ENVIRONMENT)
	$(BIN)/pytest $(ARGS)

test-uncached: $(ENVIRONMENT)
	MASTRA_TEST_MAX_CACHED_WORKFLOWS=0 $(BIN)/pytest -m 'not any_cache' tests/integration tests/conformance $(ARGS)

test-lowest:
	$(PYTHON) -m venv .venv-lowest
	.venv-lowest/bin/pip install --quiet --disable-pip-version-check uv
	.venv-lowest/bin/uv pip install --quiet --python .venv-lowest/bin/python --resolution lowest-direct --editable '.[dev]'
	.venv-lowest/bin/pytest $(ARGS)

check: $(ENVIRONMENT)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/pyright --pythonpath $(BIN)/python --project tests

bench: $(ENVIRONMENT)
	$(BIN)/python -m benchmarks.overhead
	$(BIN)/python -m benchmarks.recovery
	$(BIN)/python -m benchmarks.bulk
	$(BIN)/python -m benchmarks.suspended
	$(BIN)/python -m benchmarks.readers
	$(BIN)/python -m benchmarks.workloads

fuzz: $(ENVIRONMENT)
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[fuzz]'
	$(BIN)/python -m tests.server.fuzz $(ARGS)

chaos: $(ENVIRONMENT)
	$(BIN)/python -m tests.chaos $(ARGS)

cli-docs: $(ENVIRONMENT)
	$(BIN)/python -m docs.cli_session
