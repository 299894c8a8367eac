# Everything a user or a developer does here. `make` alone lists it.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV := .venv
PYTHON := $(VENV)/bin/python
PATHS := PYTHONPATH=plugins:.
# Each task of Airflow and each test process starts anew: without bytecode kept it compiles all that it imports.
unexport PYTHONDONTWRITEBYTECODE
# Many tests wait for a server: two cores have work for three, and none of them waits for long.
PROCESSES ?= 3
PYTEST = $(PYTHON) -m pytest --numprocesses $(PROCESSES) --dist loadfile --no-loadscope-reorder
SHELL_SCRIPTS := stack/setup.sh scripts/otterflow-free-cache .ci/run docker/airflow-init.sh docker/own-volumes.sh \
	docker/target-entrypoint.sh
LOCK := uv pip compile --quiet --universal --python-version 3.11 --no-emit-index-url --no-emit-find-links --no-header

.PHONY: help setup setup-dev demo demo-night up down test unit lint bench pictures lock clean

help: ## This list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "%-10s %s\n", $$1, $$2 }'

setup: ## Install what is missing: Debian or Ubuntu packages, and the virtual environment .venv
	@stack/setup.sh

setup-dev:
	@stack/setup.sh --dev

demo: setup ## Tune a private server, from nothing (DBMS=mariadb ITERATIONS=10 BENCHMARK=.. SEED=0 ABLATION=30 ..)
	@$(PATHS) $(PYTHON) -m stack.demo demo

demo-night: setup ## Record a load, tune by night on it, try the winner on all of it (POSTGRES_BIN=folder)
	@$(PATHS) $(PYTHON) -m stack.demo night

up: setup ## Start the demo's stack and leave it running, to play with (DBMS=mariadb)
	@$(PATHS) $(PYTHON) -m stack.demo up

down: setup ## End what `make up` started
	@$(PATHS) $(PYTHON) -m stack.demo down

test: setup-dev ## Run every test in PROCESSES=3 processes; ends with the seconds of each layer (ARGS="-k knobs")
	@$(PATHS) $(PYTEST) $(ARGS)

unit: PROCESSES = 2
unit: setup-dev ## Run the quick tests, which start no server, in PROCESSES=2 processes (ARGS="-k knobs")
	@$(PATHS) $(PYTEST) --hypothesis-profile=quick -m "not integration and not e2e and not slow" $(ARGS)

lint: setup-dev ## Format check, lint, types, shell scripts
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy
	shellcheck $(SHELL_SCRIPTS)

bench: setup-dev ## Measure an iteration, faults, pages, false winners, the tuner (TUNER="otterflow random --seeds 2")
	@$(PATHS) $(PYTHON) -m pytest tests/bench -o python_files="bench_*.py" -s $(ARGS)
	@$(PATHS) $(PYTHON) -m tests.bench.comparison --runs 500 --rounds 3 5
	@$(PATHS) $(PYTHON) -m tests.bench.verdict
	@$(PATHS) $(PYTHON) -m tests.bench.parsing
	@$(PATHS) $(PYTHON) -m tests.bench.tuner run $(TUNER)

pictures: setup-dev ## Take the pictures of the pages for the guides anew, by the browser of the tests
	@$(PATHS) $(PYTHON) -m tests.e2e.pictures

lock: setup ## Write requirements.txt and requirements-dev.txt anew from their .in files
	$(PYTHON) -m uv --version >/dev/null 2>&1 || $(PYTHON) -m pip install --quiet uv
	$(PYTHON) -m $(LOCK) requirements.in -o requirements.txt
	$(PYTHON) -m $(LOCK) requirements-dev.in -o requirements-dev.txt

clean: ## End the demo's stack, remove what demo, tests and tools have written; the virtual environment stays
	@[[ ! -x $(PYTHON) ]] || $(PATHS) $(PYTHON) -m stack.demo clean
	rm -rf .demo .build .pytest_cache .ruff_cache .mypy_cache .hypothesis
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
