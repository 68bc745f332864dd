# make run    set up, start the gateway with its simulators, and show it working
# make shop   the same with the shop of examples/shop beside it
# make test   set up and pass every test
# make check  lint, types and architecture

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.DEFAULT_GOAL := help
.PHONY: help run shop test chaos check fix lock bench bench-channels kafka tools clean

help: ## Show this help
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:[^#]*## /\t/' | expand -t 16

ifeq ($(LOG),kafka)
run: .venv/development tools
	@exec $(BIN)/python -m tests.support.cluster $(BIN)/tocsin up --demo
else
run: .venv/runtime ## Start the gateway with its simulators, and show it working (LOG=kafka: on Kafka and PostgreSQL)
	@exec $(BIN)/tocsin up --demo
endif

shop: .venv/runtime ## Open the shop of examples/shop: a gateway, its simulators, and five services that use it
	@exec $(BIN)/python -m examples.shop

# More processes than two cores: a third of the time a test waits, for a server, a process or a deadline.
test: .venv/development tools ## Run every test
	$(BIN)/python -m pytest -n 3 --dist loadgroup

chaos: .venv/development ## Prove the promises under crashes, power cuts and full disks, in their long forms
	$(BIN)/python -m pytest tests/chaos tests/flow/test_lifecycle_machine.py tests/shop/test_load.py --long -p no:cacheprovider -s

check: .venv/development ## Lint, types, architecture
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

fix: .venv/development ## Format, and mend what the linter can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: .venv/development .venv-bench/installed ## Measure speed and memory, beside Celery on Redis
	@sh benchmarks/tools.sh
	@$(BIN)/python -m benchmarks $(BENCH)

bench-channels: .venv/development .venv-bench/installed ## Measure each channel beside the client one would take without it
	@sh benchmarks/tools.sh
	@$(BIN)/python -m benchmarks.channels $(BENCH)

kafka: .venv/development tools ## Run a Kafka on this machine, for trying and testing (BROKERS=3: a cluster)
	@exec $(BIN)/python -m tests.support.kafka --brokers $(or $(BROKERS),1)

tools: ## Install what the tests need beyond Python
	@sh tests/tools.sh

lock: .venv/development ## Resolve the dependencies anew
	$(PIP) install uv
	$(BIN)/uv pip compile -q --universal --generate-hashes --python-version 3.11 --custom-compile-command "make lock" \
		pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile -q --universal --generate-hashes --python-version 3.11 --custom-compile-command "make lock" \
		pyproject.toml --group dev -o requirements-dev.lock
	$(BIN)/uv pip compile -q --universal --generate-hashes --python-version 3.11 --custom-compile-command "make lock" \
		benchmarks/requirements.in -o benchmarks/requirements.lock
	echo 'hatchling>=1.27' | $(BIN)/uv pip compile -q --universal --generate-hashes --python-version 3.11 \
		--custom-compile-command "make lock" - -o deploy/build.lock

clean: ## Remove the environment and the demo's data
	rm -rf .venv .venv-bench data

.venv/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Tocsin needs Python 3.11 or later; found $$($(PYTHON) --version 2>&1). Try: make PYTHON=python3.11 $(MAKECMDGOALS)"; exit 1; }
	@echo "Making the environment in .venv …"
	@$(PYTHON) -m venv .venv || \
		{ echo "Python cannot make virtual environments here. On Debian: apt-get install python3-venv"; exit 1; }
	@touch $@

.venv/runtime: .venv/python requirements.lock pyproject.toml
	@echo "Installing Tocsin from its locked dependencies …"
	@$(PIP) install --require-hashes -r requirements.lock
	@$(PIP) install --no-deps --editable .
	@touch $@

.venv/development: .venv/python requirements-dev.lock pyproject.toml
	@echo "Installing Tocsin and its tools from their locked dependencies …"
	@$(PIP) install --require-hashes -r requirements-dev.lock
	@$(PIP) install --no-deps --editable .
	@touch $@ .venv/runtime

.venv-bench/installed: .venv/python benchmarks/requirements.lock
	@echo "Installing the peers in .venv-bench …"
	@$(BIN)/python -m venv .venv-bench
	@echo '*' > .venv-bench/.gitignore
	@.venv-bench/bin/python -m pip --disable-pip-version-check --quiet install --require-hashes -r benchmarks/requirements.lock
	@touch $@
