# Two commands set everything up on a fresh machine: `make demo` and `make test`.
# PYTHON=python3.12 chooses the interpreter; PIP_ARGS="--index-url ..." is passed to pip.

PYTHON ?= python3
PIP_ARGS ?=
WORKERS ?= 2
PYTEST_ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
# The stamp is written last: an interrupted installation is done again.
STAMP := $(VENV)/.installed
OUT := demo-output

.PHONY: demo test check bare bench notebook clean

$(STAMP): pyproject.toml rdstats/_version.py
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
		{ echo "Python 3.11 or newer is needed; '$(PYTHON)' is $$($(PYTHON) --version 2>&1 | head -n 1). Try: make PYTHON=python3.11"; exit 1; }
	@rm -f $(STAMP)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet $(PIP_ARGS) --upgrade pip
	$(BIN)/python -m pip install --quiet $(PIP_ARGS) -e ".[compute,test]"
	@touch $(STAMP)

demo: $(STAMP)
	@mkdir -p $(OUT)
	$(BIN)/rd compute --grid demo.yaml --output $(OUT)/demo.nc --workers $(WORKERS)
	$(BIN)/rd analyze $(OUT)/demo.nc --family ratio
	@echo
	@$(BIN)/rd report $(OUT)/demo.nc --output $(OUT)/report.html

test: $(STAMP)
	$(BIN)/python -m pytest -n 2 --durations=15 $(PYTEST_ARGS)

check: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# a new environment without extras, outside the checkout
bare: $(STAMP)
	$(BIN)/python tests/packaging/bare_install.py --pip-args="$(PIP_ARGS)"

notebook: $(STAMP)
	$(BIN)/python notebooks/execute.py notebooks/any_model.ipynb --write
	$(BIN)/python notebooks/execute.py notebooks/paper_replication.ipynb --write

bench: $(STAMP)
	$(BIN)/python -m benchmarks

clean:
	rm -rf $(VENV) $(OUT) build *.egg-info
