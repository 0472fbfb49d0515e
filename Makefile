# Every target sets up what it needs: Python packages from the hashed lock in .venv, control-plane binaries in the cache.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin
BED := PYTHONPATH=tools $(RUN)/python -m bed
ARGS ?=
# The suite starts a hundred Python processes: what they import is compiled once.
unexport PYTHONDONTWRITEBYTECODE
# The suite waits more than it works: four workers keep two cores busy.
WORKERS ?= 4

.PHONY: help
help: ## This list
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/.complete: requirements-dev.lock
	@echo "setting up $(VENV) from requirements-dev.lock …" >&2
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed: make PYTHON=…")'
	@rm -rf $(VENV)
	@$(PYTHON) -m venv $(VENV)
	@$(RUN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@$(RUN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

.PHONY: demo
demo: $(VENV)/.complete ## Both halves of Daypass, told with real kubectl commands on a cluster of their own
	@$(BED) demo

.PHONY: test
test: $(VENV)/.complete binaries ## The whole suite on a real control plane (ARGS="-k t07" for a part)
	$(RUN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(ARGS)

.PHONY: up
up: $(VENV)/.complete ## Leave a cluster with Daypass running; prints how to use it
	@$(BED) up

.PHONY: down
down: $(VENV)/.complete ## Stop what "make up" started
	@$(BED) down

.PHONY: lint
lint: $(VENV)/.complete ## Style and format
	$(RUN)/ruff check
	$(RUN)/ruff format --check

.PHONY: types
types: $(VENV)/.complete ## Types, strict
	$(RUN)/mypy

.PHONY: contracts
contracts: $(VENV)/.complete ## Layers, and who may import what
	$(RUN)/lint-imports --no-cache

.PHONY: verify
verify: $(VENV)/.complete binaries ## What is generated is fresh, and a real API server accepts it
	$(RUN)/python -m daypass.api.crd --check crds
	$(RUN)/python helm/refresh.py --check
	$(RUN)/python -m pytest tests/cluster/test_crds*.py

.PHONY: generate
generate: $(VENV)/.complete ## Write what is generated: crds/, the chart's copies of them and its README
	$(RUN)/python -m daypass.api.crd --write crds
	$(RUN)/python helm/refresh.py

.PHONY: lock
lock: $(VENV)/.complete ## Pin the newest allowed versions, with hashes and without addresses
	$(RUN)/uv pip compile $(LOCK) -o requirements.lock pyproject.toml
	$(RUN)/uv pip compile $(LOCK) -c requirements.lock --group dev -o requirements-dev.lock pyproject.toml
LOCK := --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
  --custom-compile-command "make lock"

.PHONY: bench
bench: $(VENV)/.complete binaries ## Count and print the figures, with the goal beside each
	PYTHONPATH=tools:. $(RUN)/python -m bench $(ARGS)

.PHONY: binaries
binaries: $(VENV)/.complete
	@$(BED) binaries

.PHONY: clean
clean: ## Remove what was made in the clone (the cache outside of it stays)
	@if [ -d .bed ] && [ -x $(RUN)/python ]; then $(BED) down; fi
	rm -rf $(VENV) .bed dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
