# Concord: `make` lists the commands. Each of them makes .venv first when it is missing or out of date.
# CONCORD_PYTHON names the interpreter to make it with; without it the newest of 3.13 to 3.11 is taken.

VENV := .venv
PYTHON := $(VENV)/bin/python
READY := $(VENV)/.ready
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help demo scale-demo prove certify test check bench mutants

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo 'Options of a command go into ARGS, such as: make demo ARGS="--once --faults storm"'

demo: $(READY) ## run the whole money path against vendor sandboxes on this machine, and stay up for a look
	$(VENV)/bin/concord demo $(ARGS)

scale-demo: $(READY) ## run the demo's storm on PostgreSQL and NATS with 4 workers, and kill all of them in turn
	$(VENV)/bin/concord demo --once --faults storm --workers 4 --nats 3 --kill 5 --invoices 120 $(ARGS)

prove: $(READY) ## run the real engine through simulated failures, thousands of times, and judge every one
	$(VENV)/bin/concord prove $(ARGS)

certify: $(READY) ## try every operation, webhook, stream and listing of all connectors under every fault of a vendor
	$(VENV)/bin/concord connectors certify --all --jobs 2 $(ARGS)

test: $(READY) ## run all tests; those in a browser need Chromium, which is installed where it may be
	@$(PYTHON) -m tests.chromium
	$(PYTHON) -m pytest -n auto --dist worksteal $(ARGS)

check: $(READY) ## lint, check types and layers, and check the shipped workspace
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports --no-logo
	$(VENV)/bin/concord check $(ARGS)

bench: $(VENV)/.bench ## measure mappings and durable flows beside their peers and floors, as ratios
	$(PYTHON) -m bench $(ARGS)

mutants: $(READY) ## show that each promise can fail: break the hub on purpose, and see the named invariant go red
	$(VENV)/bin/concord prove --mutants
	$(PYTHON) -m hub.proof.mutants $(ARGS)

$(READY): pyproject.toml constraints.txt hatch_build.py
	@set -eu; \
	if [ ! -x $(PYTHON) ]; then \
	  for python in $${CONCORD_PYTHON:-} python3.13 python3.12 python3.11 python3 python; do \
	    if "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then found=$$python; break; fi; \
	  done; \
	  if [ -z "$${found:-}" ]; then echo 'Concord needs Python 3.11 or newer; none was found.' >&2; exit 1; fi; \
	  echo "Making $(VENV) with $$("$$found" --version)."; \
	  if command -v uv >/dev/null; then uv venv --quiet --python "$$found" $(VENV); \
	  else "$$found" -m venv $(VENV) || { rm -rf $(VENV); echo 'Python has no venv module; on Debian: apt-get install python3-venv' >&2; exit 1; }; fi; \
	fi; \
	if command -v uv >/dev/null; then \
	  echo 'Installing Concord and its tools into $(VENV) with uv.'; \
	  uv pip install --quiet --python $(PYTHON) --constraint constraints.txt --reinstall-package concord-hub --group dev --editable .; \
	else \
	  echo 'Installing Concord and its tools into $(VENV) with pip; this takes a minute or two the first time.'; \
	  $(PYTHON) -m pip --version >/dev/null 2>&1 || $(PYTHON) -m ensurepip --default-pip >/dev/null; \
	  $(PYTHON) -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'; \
	  $(PYTHON) -m pip install --quiet --constraint constraints.txt --group dev --editable .; \
	fi
	@touch $@

$(VENV)/.bench: $(READY)
	@if command -v uv >/dev/null; then uv pip install --quiet --python $(PYTHON) --constraint constraints.txt --group bench; \
	else $(PYTHON) -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --group bench; fi
	@touch $@
