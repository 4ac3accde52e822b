# `make demo` and `make test` need GNU make and Python 3.11 or later, and nothing else; both install into .venv.

PYTHON ?= python3
VENV   ?= .venv
JOBS   ?= 2
UV     ?= uv

BIN := $(VENV)/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet --no-input
# Only wheels: building another's sdist would run its code, with build tools that nothing here pins.
# The lists hold all that is needed, so nothing is left to resolve: pip would try the newest release of what one asks for with an extra and another without
INSTALL := $(PIP) install --no-deps --require-hashes --only-binary :all:
LOCK := $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-strip-extras --no-emit-index-url --no-annotate --no-header --no-config

.PHONY: demo test lint bench soak clean lock venv
.DELETE_ON_ERROR:

demo: $(VENV)/.runtime
	$(BIN)/auditor demo

test: lint
	$(BIN)/python -m pytest -n $(JOBS) --cov --cov-report=term --cov-fail-under=95

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.dev
	@set -e; for benchmark in $$(grep -l __main__ benchmarks/*.py); do echo "== $$benchmark"; $(BIN)/python "$$benchmark"; done

soak: $(VENV)/.dev
	$(BIN)/python -m pytest -m soak

venv: $(VENV)/.dev

# Takes the newest releases that pyproject.toml allows; needs uv, which nothing else does.
lock:
	$(LOCK) --upgrade pyproject.toml --group dev --output-file requirements/dev.txt
	$(LOCK) pyproject.toml --constraints requirements/dev.txt --output-file requirements/runtime.txt
	$(LOCK) --group build --constraints requirements/dev.txt --output-file requirements/build.txt

clean:
	rm -rf build dist demo .coverage .coverage.* .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache $(VENV)
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A stamp is newer than what was installed from, so a second run installs nothing.
$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Python 3.11 or later is needed, this is " + sys.version.split()[0] + ": make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.runtime: $(VENV)/.made requirements/runtime.txt requirements/build.txt pyproject.toml
	$(INSTALL) -r requirements/runtime.txt -r requirements/build.txt
	$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.made requirements/dev.txt pyproject.toml
	$(INSTALL) -r requirements/dev.txt
	$(PIP) check
	$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@ $(VENV)/.runtime
