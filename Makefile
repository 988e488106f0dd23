# The one interface for people and CI.  `make` lists the verbs.

PYTHON ?= python3
VENV ?= .venv
FUZZ_SECONDS ?= 120
ARGS ?=

BIN := $(VENV)/bin
STAMP := $(VENV)/.netkit-setup
# Test functions need no hints, fakes replace methods, a patched module is reached through its user, and a
# judgement of the wrong kind fails the assertion that asks for its code.
MYPY_TESTS := --cache-dir .mypy_cache/tests --allow-untyped-defs --allow-incomplete-defs \
	--allow-untyped-calls --implicit-reexport --disable-error-code method-assign --disable-error-code union-attr
PEERS := tests/support/install_peers.sh
# Tests with real servers depend on a machine that CI shares with others: there, one that fails is run once
# more, and the summary names it (RERUN).  Everywhere else the first failure counts.
AGAIN := $(if $(CI),--reruns 1 --reruns-delay 1 --rerun-show-tracebacks -rR)

.DEFAULT_GOAL := help
.PHONY: help setup venv peers demo test check bench bench-compare fuzz soak docs fmt clean

help: ## List these verbs
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-13s %s\n", $$1, $$2}'

setup: venv peers ## Make .venv with every dependency; install the test peers where apt can

venv: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "netkit needs Python 3.11 or later; choose one: make PYTHON=python3.12 …" >&2; exit 1; }
	@test -x $(BIN)/python || { bash $(PEERS) venv $(PYTHON) && $(PYTHON) -m venv $(VENV); }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

peers:
	@bash $(PEERS)

demo: venv ## Forward 127.0.0.2:3389 through a gateway of our own and move 100 MB each way
	$(BIN)/netkit demo $(ARGS)

test: setup ## Run every test (ARGS='-k relay' chooses)
ifeq ($(ARGS),)
	$(BIN)/python -m pytest -m pure -n auto --dist loadfile -p no:benchmark
	@# What measures silence sleeps most of the time: beside the tests that run one by one.
	@$(BIN)/python -m pytest $(AGAIN) -m alone >$(VENV)/alone.log 2>&1 & alone=$$!; status=0; \
		$(BIN)/python -m pytest $(AGAIN) -m 'not pure and not crowd and not alone' || status=$$?; \
		wait $$alone || status=$$?; cat $(VENV)/alone.log; exit $$status
	$(BIN)/python -m pytest -m crowd -n 4 --dist loadfile -p no:benchmark $(AGAIN) tests/integration
	$(BIN)/python -m pytest -m crowd -n 4 --dist loadfile -p no:benchmark $(AGAIN) tests/netkit
else
	$(BIN)/python -m pytest $(ARGS)
endif

check: venv ## Format, lint, types, import contracts, layout
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/mypy $(MYPY_TESTS) tests
	$(BIN)/lint-imports --no-logo
	$(BIN)/python -m pytest -q tests/test_layout.py

bench: setup ## Measure everything in under ten minutes; make docs/performance.md of it
	$(BIN)/python bench/run.py $(ARGS)

bench-compare: setup ## Measure again, compare with a saved run (ARGS=FILE; else docs/performance.json)
	$(BIN)/python bench/compare.py $(ARGS)

fuzz: venv ## Look for inputs that break the parsers and machines, FUZZ_SECONDS long
	$(BIN)/python tests/fuzz.py --seconds $(FUZZ_SECONDS) $(ARGS)

soak: setup ## Harm a tunnel under load and measure what it costs (ARGS="--write"; at most 15 minutes)
	PYTHONPATH=tests $(BIN)/python -m soak $(ARGS)

docs: venv ## Make docs/findings.md, the JSON Schemas and docs/performance.md from their sources
	$(BIN)/python -m diagnostics.knowledge.book > docs/findings.md
	$(BIN)/python -c 'import json; from diagnostics.report.document import schema; print(json.dumps(schema(), indent=2))' > docs/doctor.schema.json
	$(BIN)/python -c 'import json; from netkit.bench.report.document import schema; print(json.dumps(schema(), indent=2))' > docs/bench.schema.json
	$(BIN)/python -c 'import json; from netkit.text.profiles.tables import schema; print(json.dumps(schema(), indent=2))' > docs/profiles.schema.json
	$(BIN)/python bench/performance.py

fmt: venv ## Format the code, fix what ruff can fix
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

clean: ## Remove what the verbs above made, .venv too
	rm -rf $(VENV) bench/results .benchmarks .coverage .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
