# The commands of the house. `make` alone lists them; ARGS="..." is handed on to the tool behind a target.
SHELL := bash
.DEFAULT_GOAL := help
# Two workers suit the smallest machine that the suite is measured on.
JOBS ?= 2
bin := .venv/bin

.PHONY: help setup run test soak lint format bench lock

help:  ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## */  make \1\t/' | expand -t 16

setup:  ## make .venv with the locked dependencies (quick when nothing changed)
	@scripts/setup

run: setup  ## run the whole service in the foreground with a demo stream of synthetic events
	@exec $(bin)/vigil up --demo $(ARGS)

test: setup  ## run every test; what is skipped is listed with its reason
	@$(bin)/python -m pytest -n $(JOBS) --dist loadgroup $(ARGS)

soak: setup  ## run the long tests that `make test` leaves out
	@$(bin)/python -m pytest -m soak --timeout 7200 $(ARGS)

# All four always run, so that one round shows everything there is to mend.
lint: setup  ## check style, formatting, types and import direction
	@failed=0; \
	$(bin)/ruff check . || failed=1; \
	$(bin)/ruff format --check . || failed=1; \
	$(bin)/mypy || failed=1; \
	$(bin)/lint-imports || failed=1; \
	exit $$failed

format: setup  ## format the code and mend what can be mended safely
	@$(bin)/ruff check --fix-only --quiet . ; $(bin)/ruff format .

bench: setup  ## print the measured figures beside their limits
	@$(bin)/vigil bench $(ARGS)

lock: setup  ## compile the dependencies in pyproject.toml into the lock files
	@scripts/lock
