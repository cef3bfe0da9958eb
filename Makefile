# Two commands for a newcomer: `make demo` and `make test`. Both make .venv by themselves.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
CHROMIUM := $(VENV)/.chromium
# One process more than two cores: tests wait for browsers, databases, processes. The longest files begin first, see tests/conftest.py.
PARALLEL := -n 3 --dist loadfile --no-loadscope-reorder

.PHONY: demo test coverage check audit docs bench bench-gpu fuzz crash mutate clean

demo: $(STAMP)  ## the whole loop on embedded data, in ./demo
	$(BIN)/curate demo demo --fresh

test: $(STAMP) $(CHROMIUM)  ## every test
	$(BIN)/pytest $(PARALLEL)

coverage: $(STAMP) $(CHROMIUM)  ## which lines no test reaches, in processes that tests start too; half as long again
	rm -rf build/coverage && mkdir -p build/coverage
	-$(BIN)/coverage run -m pytest $(PARALLEL)  # tests of full disks fail: coverage writes there, too
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

check: $(STAMP)  ## formatting, lint, types, and whether the generated docs are current
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python docs/generate.py --check
	$(BIN)/python -m requirements.check

audit: $(STAMP)  ## locks, licences and, with a network and pip-audit, known weaknesses
	$(BIN)/python -m requirements.audit

fuzz: $(STAMP)  ## every reader against inputs that coverage guides, a minute each; ARGS="--seconds 600 recipes"
	$(BIN)/python -m tests.fuzz $(ARGS)

crash: $(STAMP)  ## every verb that writes killed, on full disks, beside another (about 25 minutes); ARGS="--trials 2000"
	$(BIN)/python -m tests.crash $(ARGS)

mutate: $(STAMP)  ## do tests notice it when the code that decides is changed? (about 20 minutes); ARGS="--record"
	$(BIN)/python -m tests.mutation $(ARGS)

docs: $(STAMP)  ## write the generated pages of docs/
	$(BIN)/python docs/generate.py

bench: $(STAMP)  ## the figures of docs/benchmarks.md, on real data (about 2.5 hours on two cores)
	$(BIN)/python -m tests.benchmarks

bench-gpu:  ## what needs a GPU, most important first; uses the python that is active. ARGS="--budget 570": docs/gpu.md
	python3 -m tests.benchmarks.gpu $(ARGS)

clean:
	rm -rf $(VENV) demo build dist

# torch is named alone and exactly: this pin takes a CPU build where one is at hand; a range takes the newest build with
# gigabytes of CUDA. The stamp makes a second `make` start at once, and a changed pyproject.toml install again.
$(STAMP): pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -c "import torch" 2>/dev/null || $(BIN)/pip install --quiet --disable-pip-version-check torch==2.13.0
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@

# Tests of pages drive Chromium. Where there is none and it cannot be installed, they are skipped and say why; `make clean`
# or a changed pyproject.toml tries again.
$(CHROMIUM): $(STAMP)
	@for name in chromium chromium-browser google-chrome; do command -v $$name >/dev/null && exit 0; done; \
	test "$$(id -u)" = 0 && command -v apt-get >/dev/null || exit 0; \
	echo "installing Chromium for the tests"; export DEBIAN_FRONTEND=noninteractive; \
	{ apt-get -o Acquire::http::Timeout=20 update && apt-get install -y --no-install-recommends chromium; } \
		>/dev/null 2>&1 || echo "Chromium could not be installed; tests that need it are skipped"
	@touch $@
