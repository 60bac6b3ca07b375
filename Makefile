# `make demo` and `make test` do everything, set-up included; `make help` lists the rest.

PYTHON ?= python3
CORES ?= all
VENV := .venv
BIN := $(abspath $(VENV))/bin
READY := $(VENV)/.ready
export PATH := $(BIN):$(PATH)

.DEFAULT_GOAL := help
.PHONY: help demo docs test test-long check lock clean

help:
	@echo "make demo    build .venv from the lock file and run the demo study (about a quarter of an hour)"
	@echo "make docs    build the documentation, docs/_build/html/index.html"
	@echo "make test    build the same environment and run the whole test suite"
	@echo "make test-long   what takes hours or needs root, Slurm, registries"
	@echo "make check   lint, formatting and types"
	@echo "make lock    renew envs/requirements.lock from envs/requirements.in"
	@echo "make clean   remove the results, keep the environment"

demo: $(READY)
	snakemake --cores $(CORES)
	@echo "The report is at $(abspath results/report.html)"

docs: $(READY)
	sphinx-build -W --keep-going -b html docs docs/_build/html

test: $(READY) check
	python -m pytest --numprocesses 2 --dist loadfile

test-long: $(READY)
	python -m pytest -m long

check: $(READY)
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

lock:
	$(PYTHON) -m venv --clear .lock
	.lock/bin/python -m pip install --quiet --requirement envs/requirements.in
	(echo "# Made by \`make lock\` from requirements.in, on Linux and Python 3.11."; \
	.lock/bin/python -m pip freeze | sed 's/+cpu$$//') > envs/requirements.lock
	rm -r .lock

clean:
	find results -mindepth 1 ! -name README.md -delete
