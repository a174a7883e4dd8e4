PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# The extras to install; `make test EXTRAS=dev,torch,keras` includes PyTorch and Keras.
EXTRAS ?= dev

.DEFAULT_GOAL := help

help:  ## List the targets
	@awk '/^[A-Za-z0-9._-]+:.*##/ { name = $$0; sub(/:.*/, "", name); sub(/^[^#]*##[ ]*/, ""); printf "%-11s %s\n", name, $$0 }' \
		$(firstword $(MAKEFILE_LIST))

$(VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable '.[$(EXTRAS)]'
	touch $@

run: $(VENV)/.installed  ## Train the networks of the four tutorials; write plots and reports to workings-runs/
	$(BIN)/workings run all

test: $(VENV)/.installed  ## Run all checks (ruff, mypy, pytest)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m 'not slow' -n auto --dist worksteal

quick: $(VENV)/.installed  ## Run ruff and the tests of what changed, in about a minute
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	OMP_NUM_THREADS=1 $(BIN)/python tools/quick.py

test-slow: $(VENV)/.installed  ## Run the tests that take minutes
	$(BIN)/python -m pytest -m slow

tables: $(VENV)/.installed  ## Benchmark the recipe for tables on forty tables; results go to workings-bench/tables.jsonl
	$(BIN)/python -m pip install --quiet --editable ".[dev,tables]"
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.tables

promises: $(VENV)/.installed  ## Run the tests of each promise in docs/testing.md and print the counts
	OMP_NUM_THREADS=1 $(BIN)/python tools/promises.py

trust: $(VENV)/.installed  ## Interrupt 200 trainings and kill 200 more; takes half an hour
	OMP_NUM_THREADS=1 $(BIN)/python tools/promises.py --slow Ctrl-C

# The damaged files that `make fuzz` reads: `make fuzz FILES=1000 FIRST=500` reads 1,000, from number 500.
FILES ?= 1000000
FIRST ?= 0

fuzz: $(VENV)/.installed  ## Read a million damaged files of all formats: each loads or is refused
	WORKINGS_FUZZ=$(FILES) WORKINGS_FUZZ_FIRST=$(FIRST) $(BIN)/python -m pytest -q tests/test_hostile_files.py -k damaged_files_of_every_format

# `make mutants MUTANTS=50` draws fewer.
MUTANTS ?= 200

mutants: $(VENV)/.installed  ## Measure how many faults in the code the tests find; takes an hour
	$(BIN)/python -m pip install --quiet cosmic-ray
	OMP_NUM_THREADS=1 $(BIN)/python -m tools.mutants --mutants $(MUTANTS)

torch: $(VENV)/.installed  ## Install PyTorch and Keras, for the tests that compare with them
	$(BIN)/python -m pip install --quiet --editable '.[dev,torch,keras]'

bench: $(VENV)/.installed  ## Benchmark against other libraries (installed first); reports go to workings-bench/
	$(BIN)/python -m pip install --quiet --editable '.[dev,bench]'
	$(BIN)/python -m benchmarks

matrix:  ## Install the package with each extra in empty environments, on each Python found, and check it
	$(PYTHON) tools/install_matrix.py

doctor: $(VENV)/.installed  ## Measure the detection rates of the diagnosis and write them to docs/doctor.md
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.doctor
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.doctor --only others

format: $(VENV)/.installed  ## Format the code and fix what ruff can fix
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:  ## Remove the environment, results and caches
	rm -rf $(VENV) workings-runs workings-bench .pytest_cache .mypy_cache .ruff_cache

.PHONY: help run test quick test-slow tables promises trust fuzz mutants torch bench matrix doctor format clean
