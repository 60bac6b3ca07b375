# `make demo` and `make test` do everything, set-up included; `make help` lists the rest.

PYTHON ?= python3
CORES ?= all
VENV := .venv
BIN := $(abspath $(VENV))/bin
READY := $(VENV)/.ready
export PATH := $(BIN):$(PATH)

.DEFAULT_GOAL := help
.PHONY: help demo docs test test-long check lock clean

help:  ## list these
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

demo: $(READY)  ## build .venv from the lock file and run the demo study (about a quarter of an hour)
	snakemake --cores $(CORES)
	@echo "The report is at $(abspath results/report.html)"

docs: $(READY)  ## build the documentation, docs/_build/html/index.html; it runs the notebooks, some minutes
	sphinx-build -W --keep-going -b html docs docs/_build/html

test: $(READY) check  ## build the same environment, check, and run the test suite
	python -m pytest --numprocesses 2 --dist loadfile

test-long: $(READY)  ## run the tests that take hours, or need root, Slurm or conda
	python -m pytest -m long

check: $(READY)  ## lint, formatting and types
	ruff check .
	ruff format --check .
	snakefmt --check Snakefile workflow
	mypy
	snakemake --lint

$(READY): envs/requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed; name one with make PYTHON=...")'
	$(PYTHON) -m venv --clear $(VENV)
	python -m pip install --quiet --requirement envs/requirements.lock
	python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $(READY)

lock:  ## renew envs/requirements.lock from envs/requirements.in
	$(PYTHON) -m venv --clear .lock
	.lock/bin/python -m pip install --quiet --requirement envs/requirements.in
	(echo "# Made by \`make lock\` from requirements.in, on Linux and Python 3.11."; \
	.lock/bin/python -m pip freeze | sed 's/+cpu$$//') > envs/requirements.lock
	rm -r .lock

clean:  ## remove all results, keep the environment; `snakemake clean -c1` removes large files only
	find results -mindepth 1 ! -name README.md -delete
