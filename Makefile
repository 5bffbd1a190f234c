# Every command that README and CI use. `make help` lists them.

PYTHON ?= python
# A CPU build lies ready on some machines under this exact version; any torch of pyproject's range does.
TORCH ?= torch==2.13.0
# Tests run on one thread each: on two cores, more threads than that wait for each other.
export OMP_NUM_THREADS ?= 1

.DEFAULT_GOAL := help
.PHONY: help install develop docs format lint test test-slow js-test test-arm fuzz bench overfit results pictures graphs train

help:  ## Show this list.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install:  ## Install the codec and its command alone, into the current environment.
	$(PYTHON) -m pip install .

develop:  ## Install the package with all that tests and benchmarks need.
	$(PYTHON) -m pip install "$(TORCH)"
	$(PYTHON) -m pip install -e '.[dev]'
	# Peers for tests. They name torchaudio, which the tests do without.
	$(PYTHON) -m pip install --no-deps encodec==0.1.1 vocos==0.1.0

docs:  ## Build the site, strictly: a warning is an error (pip install '.[docs]' first).
	$(PYTHON) -m mkdocs build --strict --quiet

format:  ## Format the code.
	ruff format .
	ruff check --fix .

lint:  ## Check format, style, types and who imports whom.
	ruff format --check .
	ruff check .
	pyright
	lint-imports

test:  ## Run the tests (minutes).
	$(PYTHON) -m pytest -q -m "not slow"

test-slow:  ## Run what takes longer, too.
	$(PYTHON) -m pytest -q

js-test:  ## Build and test the npm package (needs Node 20; Chromium too, where it is there).
	cd js && npm ci --no-audit --no-fund && PYTHON="$(PYTHON)" npm test

test-arm:  ## Test the language model's kernel on ARM64, emulated (tests/arm64.sh says what it needs).
	PYTHON="$(PYTHON)" tests/arm64.sh

fuzz:  ## Damage streams at random, and read and play them: make fuzz MINUTES=10
	PYTHONPATH=src $(PYTHON) tests/fuzz/fuzz_wire.py --minutes $(or $(MINUTES),10)

bench:  ## Time the commands, and the model against transformers, and compare padded batches.
	$(PYTHON) benchmarks/commands.py
	$(PYTHON) benchmarks/model_speed.py
	$(PYTHON) benchmarks/ragged_batches.py

overfit:  ## Let a tiny model learn one clip by heart, as a check of training (minutes).
	$(PYTHON) benchmarks/overfit.py

results:  ## Make docs/results.md, the default model against Opus: make results MANIFEST=dev.tsv
	$(PYTHON) docs/make/results.py $(MANIFEST) --opus 6 7 9 12 --card src/recodec/weights/README.md

pictures:  ## Draw the pictures of docs/ again: the architecture, and the delay of a live stream.
	$(PYTHON) docs/make/architecture.py
	$(PYTHON) docs/make/latency_picture.py

graphs:  ## Make the ONNX graphs that come with the package again.
	PYTHONPATH=src $(PYTHON) -m recodec.onnx_engine.prebuild

train:  ## Train the default model from shards/ (see recipes/debian_24khz/README.md).
	recodec train recipes/debian_24khz/recipe.py:starter --out runs/default
	recodec train recipes/debian_24khz/recipe.py:longer --out runs/default
