# `make help` lists the jobs. Each one first sets up what it lacks; see scripts/setup.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

# make demo: BOARD=host, MODEL=my.tflite, DATA=full or DATA=samples.npz
BOARD ?= mps2-an386
MODEL ?= examples/fashion_mnist/fashion_mlp.tflite
DATA ?= examples/fashion_mnist/t10k-1000.npz
# make test: TESTS=tests/python ARGS="-k dense -x"; WORKERS=0 runs in one process, for a debugger
TESTS ?= tests
ARGS ?=
# One worker more than cores: many tests wait, for emulators and time-outs.
WORKERS ?= $(shell expr $$(nproc 2>/dev/null || echo 1) + 1)

# Tests build the same C files in several copies of the tree; with ccache they are compiled once. What
# they install into environments of their own is hardly used, so pip need not compile it.
QUICKER := PATH="/usr/lib/ccache:$$PATH" CCACHE_NOHASHDIR=1 PIP_COMPILE=0

export PYTHON

.DEFAULT_GOAL := help
.PHONY: help demo test lint docs release clean

help:
	@echo "make demo    build firmware, stream images to a board, compare every byte with TensorFlow Lite"
	@echo "             BOARD=$(BOARD) MODEL=FILE.tflite DATA=full|FILE"
	@echo "make test    all tests on all cores; TESTS=FOLDER WORKERS=1 ARGS='pytest arguments'"
	@echo "make lint    ruff and mypy"
	@echo "make docs    the documentation as a web site in build/site"
	@echo "make release wheels for many computers in dist, checked (docs/release.md)"
	@echo "make clean   remove what the others made"

demo:
	@scripts/setup demo
	@BOARD='$(BOARD)' MODEL='$(MODEL)' DATA='$(DATA)' scripts/demo

test:
	@scripts/setup test
	$(QUICKER) $(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup $(TESTS) $(ARGS)

lint:
	@scripts/setup lint
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/mypy --platform win32
	$(BIN)/mypy --platform darwin

docs:
	@scripts/setup docs
	$(BIN)/python scripts/docs_site/build.py

release:
	@scripts/release

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
	rm -rf runtime/*.egg-info runtime/byteprop/_bin runtime/byteprop/_kernels.c
	rm -f runtime/byteprop/*.so
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
