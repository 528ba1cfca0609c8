# Two commands to know:
#   make demo   sets up, compiles the digits network for an Ultra96, runs the generated C++ against onnxruntime
#   make test   sets up, then lint, types, all tests
# Needed: Python 3.11 or newer with venv, g++. Everything else goes into .venv, and nothing outside of this folder.

VENV   ?= .venv
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
             $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
JOBS   ?= 2
export FLOWC_CACHE ?= $(CURDIR)/.cache/flowc

BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check install --quiet --prefer-binary
DIGITS := examples/digits

.PHONY: demo test lint types tests bench format clean help
.NOTPARALLEL:

help:
	@sed -n 's/^# \{0,1\}//p; /^$$/q' Makefile

demo: $(VENV)/demo.stamp
	$(BIN)/flowc build $(DIGITS)/digits_cnn_w4a4.onnx --target ultra96 --csim
	$(BIN)/python $(DIGITS)/run.py

test: lint types tests

lint: $(VENV)/test.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	.ci/layers $(BIN)/python

types: $(VENV)/test.stamp
	.ci/typecheck $(BIN)/python

tests: $(VENV)/test.stamp
	$(BIN)/python -m pytest -n $(JOBS)

bench: $(VENV)/test.stamp
	$(BIN)/python -m benchmarks.speed --csim --json .cache/speed.json $(if $(AGAINST),--against $(AGAINST))

format: $(VENV)/test.stamp
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) .cache *.egg-info

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "flowc needs Python 3.11 or newer; none was found. Name one: make PYTHON=..." >&2; exit 1; }
	@command -v g++ >/dev/null || { echo "flowc's simulations need g++, which was not found" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/demo.stamp: pyproject.toml setup.py | $(BIN)/python
	@echo "installing flowc and what it needs into $(VENV)"
	$(PIP) -e '.[csim]'
	@touch $@

$(VENV)/test.stamp: pyproject.toml setup.py | $(BIN)/python
	@echo "installing flowc and what its tests need into $(VENV)"
	$(PIP) -e '.[csim,test]'
	@touch $@
