# Two commands do everything from a clean clone:   make run    the main job on an embedded synthetic market
#                                                  make test   lint, types, import contracts, rules, all tests
# Needs only Python >= 3.11 and make.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CME := $(BIN)/cme
export PIP_DISABLE_PIP_VERSION_CHECK = 1

.PHONY: run test check fast docs rules lock same-results rehearse-live clean axe

run: $(VENV)/installed
	$(CME) run configs/demo.toml

test: check
	$(BIN)/python -m pytest -n auto --dist worksteal

check: $(VENV)/tools
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python docs/rules.py --check
	$(BIN)/python docs/decisions.py --check
	$(BIN)/python docs/conventions.py --check
	$(BIN)/python docs/glossary.py --check
	$(BIN)/python docs/what_changed.py --check
	$(BIN)/python -m pytest -q -p no:cacheprovider tests/architecture/test_imports.py tests/architecture/test_names.py

# Whether two output folders say the same, ids that cover the engine's tree left out:  make same-results OLD=a NEW=b
same-results: $(VENV)/tools
	$(BIN)/python benchmarks/same_results.py "$(OLD)" "$(NEW)"

# The daily operation with kills, two emitters, the final gate and a review of the run; prints its table.
rehearse-live: $(VENV)/tools
	$(BIN)/python benchmarks/rehearse_live.py

# The checks of accessibility that Chromium runs on the pages: a test tool of npm, by the hash in its lock file.
AXE := tests/reports/accessibility
axe:
	npm ci --prefix $(AXE) --ignore-scripts --no-audit --no-fund --loglevel=error

fast: $(VENV)/tools
	$(BIN)/python -m pytest -n auto -m "not slow and not real" -q

# The site, in build/site: pages, functions, decisions, and the notebooks, which are run.  A warning is an error.
docs: $(VENV)/tools
	MPLBACKEND=agg $(BIN)/sphinx-build -W --keep-going -q -b html docs build/site
	@echo "build/site/index.html"

rules: $(VENV)/tools
	$(BIN)/python docs/rules.py
	$(BIN)/python docs/conventions.py
	$(BIN)/python docs/glossary.py

# The exact stack, with hashes; --build-deps-for pins the build tool too, so that nothing unpinned is ever installed.
COMPILE := $(BIN)/pip-compile -q --generate-hashes --no-header --no-emit-index-url --no-emit-trusted-host \
	--no-emit-find-links --allow-unsafe --strip-extras
lock: $(VENV)/tools
	$(BIN)/pip install -q pip-tools
	$(COMPILE) --build-deps-for editable -o requirements.lock pyproject.toml
	$(COMPILE) -o tests/requirements.lock tests/requirements.in

$(VENV)/installed: requirements.lock pyproject.toml setup.py $(wildcard engine/kernels/csrc/*)
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "expected Python >= 3.11, was " + sys.version.split()[0])'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --require-hashes -r requirements.lock
	$(BIN)/python -m pip install -q --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/tools: $(VENV)/installed tests/requirements.lock
	$(BIN)/python -m pip install -q --require-hashes -r tests/requirements.lock
	@touch $@

clean:
	rm -rf $(VENV) runs build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
