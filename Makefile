# Thin: every target calls one tool. `make help` lists them.
PYTHON ?= $(shell for p in python3.12 python3.11 python3 python; do \
	$$p -c 'import sys, ensurepip; sys.exit(not (3, 11) <= sys.version_info < (3, 13))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
# Most tests wait for servers that start or break: four processes keep two cores busy.
TEST_PROCESSES ?= 4
# Hundreds of Pythons are started: without bytecode each would compile everything anew.
PYTEST := env -u PYTHONDONTWRITEBYTECODE $(BIN)/pytest

.DEFAULT_GOAL := help
.PHONY: help serve test slow lint format export bench bench-gpu bench-gpu-folder chaos fuzz screenshots starters clean

help:  ## show this
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' Makefile

serve: .venv/run  ## install, publish the models, start everything (API 8080, page 8501)
	@exec $(BIN)/neurosense serve

test: .venv/dev  ## install, run the whole test suite
	$(PYTEST) -W error -n $(TEST_PROCESSES)

slow: .venv/dev  ## the tests that `make test` leaves out: more themes, starts, swaps and kills
	$(PYTEST) -W error -m slow -n $(TEST_PROCESSES) --ignore=tests/api/test_promises.py

lint: .venv/dev  ## ruff, mypy --strict, and known vulnerabilities of what is served
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy .
	$(BIN)/pip-audit --progress-spinner off --disable-pip --no-deps \
		-r requirements/run.txt -r requirements/triton.txt

format: .venv/dev  ## let ruff rewrite the layout of the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

export: .venv/export  ## download, check and publish the two published checkpoints
	$(BIN)/neurosense export

bench: .venv/bench  ## measure models, service, other servers and growth: about 20 minutes
	$(BIN)/python -m benchmarks

GPU_FOLDER ?= .neurosense/bench-gpu
bench-gpu-folder: .venv/bench  ## put all that bench-gpu needs into GPU_FOLDER: several GB
	sh benchmarks/gpu_folder.sh $(GPU_FOLDER)

bench-gpu:  ## measure on an NVIDIA GPU, without a network, what that folder holds
	sh $(GPU_FOLDER)/code/benchmarks/gpu_run.sh

chaos: .venv/bench  ## break everything under load, then overload it: about 30 minutes
	$(BIN)/python -m benchmarks.chaos
	$(BIN)/python -m benchmarks.overload

fuzz: .venv/dev  ## hostile input for long: COUNT=100000 mutated inputs, then the real API
	$(BIN)/python -m tests.fuzz $(COUNT)
	$(PYTEST) -W error -m slow tests/api/test_promises.py

screenshots: .venv/dev  ## take the README's pictures of the page, with a Chromium: about 2 minutes
	$(BIN)/python -m tests.ui.screenshots

starters: .venv/dev  ## rebuild the starters' graphs from their checkpoints
	$(BIN)/python -m export.pack

clean:  ## remove the environment and everything that running wrote
	rm -rf .venv .neurosense

# Each stamp is older than nothing it was made from, so a second run installs nothing.
.venv/bin/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or 3.12 is needed and was not found. Install one \
	(Debian/Ubuntu: apt install python3.11-venv; anywhere: uv python install 3.12 or pyenv) \
	or name one: make PYTHON=/path/to/python3.11 ..."; exit 1; }
	$(PYTHON) -m venv .venv || { rm -rf .venv; exit 1; }

.venv/run: requirements/run.txt requirements/triton.txt pyproject.toml | .venv/bin/python
	@echo "Installing what serving needs (about a minute) ..."
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements/run.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -r requirements/triton.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

.venv/export: requirements/export.txt .venv/run
	@echo "Installing what exporting needs (torch is large) ..."
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements/export.txt
	@touch $@

.venv/bench: requirements/bench.txt .venv/export
	@echo "Installing what measuring needs ..."
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements/bench.txt
	@touch $@

.venv/dev: requirements/dev.txt requirements/cluster.txt .venv/bench
	@echo "Installing what the tests need ..."
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -r requirements/cluster.txt
	@touch $@
