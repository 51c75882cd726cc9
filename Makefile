# Every command of the project; `make help` lists them. The work is done in scripts/, with the standard library alone.

PYTHON ?= python3
VENV ?= .venv
# Where torch comes from: empty = PyTorch's CPU index on Linux without an NVIDIA driver, if it can be reached;
# `default` = pip's own index; a URL = that index.
TORCH_INDEX ?=

SETUP = --venv "$(VENV)" --torch-index "$(TORCH_INDEX)"
BIN = $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help run test check lint types bench endure format install clean

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo "  Variables: PYTHON=$(PYTHON) VENV=$(VENV) TORCH_INDEX=$(TORCH_INDEX)"

run: ## install what is missing, build the page, start the server on http://127.0.0.1:8000
	@$(PYTHON) -m scripts.run $(SETUP)

test: ## everything: lint, types, the whole test suite, the page's own tests
	@$(PYTHON) -m scripts.test $(SETUP)

check: lint types ## the fast half of `make test`: style, import directions, types

lint: install ## ruff and the import directions
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports

types: install ## mypy --strict
	@$(BIN)/mypy

bench: install ## measure frames, latency, accuracy and load against bare aiortc (minutes)
	@$(BIN)/python -m bench

endure: install ## the reliability figures in full (minutes to hours)
	@$(BIN)/pytest -m endure --timeout=0 -o log_cli=true

format: install ## let ruff lay out the code
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

install: # the environment with everything that developers need
	@$(PYTHON) -m scripts.install $(SETUP)

clean: ## remove what was built (not ./data)
	rm -rf .venv web/node_modules web/.next web/out build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -not -path './web/*' -prune -exec rm -rf {} +
