PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# What is installed at first; `make test EXTRAS=dev,torch,keras` brings PyTorch and Keras with it.
EXTRAS ?= dev

.DEFAULT_GOAL := help

help:  ## Show what there is
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/:/' | column -t -s:

$(VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable '.[$(EXTRAS)]'
	touch $@

run: $(VENV)/.installed  ## Train the four networks; pictures and reports go to workings-runs/
	$(BIN)/workings run all

test: $(VENV)/.installed  ## All checks: ruff, mypy, pytest
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m 'not slow' -n auto --dist worksteal
	NUMBA_DISABLE_JIT=1 $(BIN)/python -m pytest -m 'not slow' -n auto tests/test_compiled.py

test-slow: $(VENV)/.installed  ## The checks that take minutes
	$(BIN)/python -m pytest -m slow

torch: $(VENV)/.installed  ## PyTorch and Keras, for the tests that compare with them
	$(BIN)/python -m pip install --quiet --editable '.[dev,torch,keras]'

bench: $(VENV)/.installed  ## Benchmark against other libraries (installed first); reports go to workings-bench/
	$(BIN)/python -m pip install --quiet --editable '.[dev,bench]'
	$(BIN)/python -m benchmarks

doctor: $(VENV)/.installed  ## Measure the detection rates of the diagnosis and write them to docs/doctor.md
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.doctor

format: $(VENV)/.installed  ## Format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:  ## Remove the environment and what runs have left
	rm -rf $(VENV) workings-runs workings-bench .pytest_cache .mypy_cache .ruff_cache

.PHONY: help run test test-slow torch bench doctor format clean
