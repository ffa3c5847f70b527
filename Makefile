# make book   build the whole book from the recorded runs into _build/html
#             (needs Python 3.11+, make and git only)
# make test   install what the tests need, build the book, run all tests but the slow ones
# make lint   style, directions of imports, types, pairs of notebooks, size
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv pip install --quiet --python $(BIN)/python --constraint constraints.txt
# With the setuptools installed here, not one fetched for the occasion: where all is there already,
# no network is needed.
NOT_INSTALLED = packages could not be installed, see above; if a cache folder cannot be written, name \
others in UV_CACHE_DIR and PIP_CACHE_DIR
INSTALL = @{ $(UV) setuptools && $(UV) --no-build-isolation --editable ".[$(EXTRAS)]"; } \
	|| { echo "make: $(NOT_INSTALLED)" >&2; exit 2; }
JOBS ?= $(shell $(PYTHON) -c "import os; print(os.cpu_count() or 1)")

# What of the user's own Python and Snakemake would be loaded in place of what is installed here.
unexport PYTHONPATH PYTHONHOME PYTHONSTARTUP SNAKEMAKE_PROFILE
# Compiled modules are kept in .venv and beside the code: without them each start takes seconds more.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: book test test-slow records env train-env notebooks readme address lint clean

book: $(VENV)/book.stamp
	@$(BIN)/python -m companion.build make book --cores $(JOBS)

test: $(VENV)/test.stamp book
	@$(BIN)/python -m pytest --numprocesses $(JOBS) --dist loadfile

test-slow: $(VENV)/test.stamp book
	@$(BIN)/python -m pytest -m slow

records: $(VENV)/train.stamp
	@$(BIN)/python -m companion.build make records --cores $(JOBS)

env: $(VENV)/book.stamp

train-env: $(VENV)/train.stamp

# Rewrite the .ipynb files from their .py sources, without outputs.
notebooks: $(VENV)/book.stamp
	@$(BIN)/python -m companion.build notebooks

readme: $(VENV)/book.stamp
	@$(BIN)/python -m companion.build readme

# Write the repository's address, typed in pyproject.toml, wherever it is needed.
address: $(VENV)/book.stamp
	@$(BIN)/python -m companion.build address

# Style, directions of imports, types of the public face, pairs of notebooks, and the caps on size.
lint: $(VENV)/test.stamp
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .
	@$(BIN)/lint-imports
	@$(BIN)/mypy
	@$(BIN)/python -m companion.build notebooks --check
	@$(BIN)/python -m companion.build address --check
	@$(BIN)/python tools/count.py
	@$(BIN)/python tools/notebooks.py

clean:
	rm -rf _build .snakemake

$(BIN)/uv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "make: Python 3.11 or newer is needed, $$($(PYTHON) --version) found;" \
		"name another with PYTHON=..." >&2; exit 2; }
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt uv

$(VENV)/book.stamp: EXTRAS = book
$(VENV)/train.stamp: EXTRAS = book,train
$(VENV)/test.stamp: EXTRAS = book,train,dev

$(VENV)/book.stamp: pyproject.toml constraints.txt | $(BIN)/uv
	$(INSTALL)
	@touch $@

$(VENV)/train.stamp: $(VENV)/book.stamp
	$(INSTALL)
	@touch $@

$(VENV)/test.stamp: $(VENV)/train.stamp
	$(INSTALL)
	@tests/browser/chromium.sh >/dev/null
	@touch $@
