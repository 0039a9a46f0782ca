# make demo   clean a small folder of noisy speech (NOISY=dir: your own)
# make test   run the tests            make check   everything that must pass before a change lands
# make slow   the long tests           make model-NAME   rebuild models/NAME from its recipe

PYTHON ?= python3
CORPUS ?= ../shared/data
VENV := .venv
BIN := $(VENV)/bin
PIP_INSTALL := $(BIN)/python -m pip install --quiet -c constraints.txt

.PHONY: setup test check lint types layers wheel-check demo picture slow clean
.DEFAULT_GOAL := test

setup: $(VENV)/dev.stamp

$(VENV)/python.stamp:
	$(PYTHON) -m venv $(VENV)
	touch $@

$(VENV)/demo.stamp: $(VENV)/python.stamp pyproject.toml constraints.txt
	$(PIP_INSTALL) -e '.[demo]'
	touch $@

# pesq has no wheels: without a compiler its tests are skipped, and nothing else changes.
$(VENV)/dev.stamp: $(VENV)/demo.stamp
	$(PIP_INSTALL) -e '.[dev]'
	-$(PIP_INSTALL) pesq
	touch $@

test: setup
	$(BIN)/python -m pytest -q

slow: setup
	$(BIN)/python -m pytest -q -m slow

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup
	$(BIN)/mypy

layers: setup
	$(BIN)/lint-imports --no-cache

check: lint types layers test wheel-check

# The wheel alone, in an environment that never saw this tree, does the main job.
wheel-check: setup
	rm -rf dist .venv-wheel
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist .
	$(PYTHON) -m venv .venv-wheel
	.venv-wheel/bin/python -m pip install --quiet -c constraints.txt dist/smle-*.whl
	$(BIN)/python -I tests/wheel_check.py .venv-wheel/bin

demo: $(VENV)/demo.stamp
	$(if $(NOISY),,$(BIN)/python examples/noisy_speech.py demo/noisy)
	$(BIN)/smle enhance $(if $(NOISY),"$(NOISY)",demo/noisy) demo/clean --force
	@echo "Listen: $(if $(NOISY),$(NOISY),demo/noisy) and demo/clean"

# The pictures in README.md and in the cards.
picture: setup
	$(BIN)/python examples/noisy_speech.py demo/noisy
	$(BIN)/python examples/draw_routing.py demo/noisy/outside/interview.wav docs/before_after.png
	$(BIN)/python examples/draw_routing.py demo/noisy/tape/lecture.wav docs/full_band.png --top-hz 24000

model-%: setup
	$(BIN)/smle train models/$*/recipe.toml $(CORPUS) -o runs/$* --resume

clean:
	rm -rf build dist demo .venv-wheel
