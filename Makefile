# mcp-pingone: everything a developer does starts here. Bare `make` prints this help.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
MAKEFLAGS += --no-print-directory

VENV := .venv
BIN := $(VENV)/bin
# An installed uv is used as it is; without one, the environment brings its own (hash-pinned).
UV := $(shell command -v uv 2>/dev/null || echo $(abspath $(BIN)/uv))
PYTHON ?= $(or $(UV_PYTHON),python3)
MEMBERS := libs/service-kit services/auth services/mcp services/todo-api dev/pingone-simulator
MEMBER_PROJECTS := $(MEMBERS:%=%/pyproject.toml)
SOURCES := services libs dev tests conftest.py
STATE := .local-state
PYTEST_ARGS ?=
# Processes that share the tests; the end-to-end tests come first and stay together in one.
TEST_WORKERS ?= auto

##@ Run

demo: $(VENV)/.installed ## The whole story on this machine: sign in, get a handle, call every tool, exit
	$(BIN)/python -m local_stack demo

dev: $(VENV)/.installed ## Start the simulator and the three services, and keep them running (Ctrl-C stops all)
	$(BIN)/python -m local_stack up

compose: ## The whole system in containers, on loopback (needs Docker)
	deploy/compose/make-secrets
	docker compose up --build

migrate: $(VENV)/.installed ## Bring the databases named by AUTH_DATABASE_URL and TODO_DATABASE_URL to the newest schema
	$(BIN)/python -m auth_server migrate
	$(BIN)/python -m todo_api migrate

clean: ## Remove the embedded state: databases, generated keys, logs
	rm -rf $(STATE)

##@ Check

test: $(VENV)/.installed ## All tests, on SQLite and on a PostgreSQL and a Valkey that they bring themselves
	$(BIN)/python -m pytest -n $(TEST_WORKERS) --no-loadscope-reorder $(PYTEST_ARGS)

test-pythons: $(VENV)/.installed ## A chosen part of the tests, on the oldest and the newest Python of this machine
	$(BIN)/python tests/pythons/run.py

prove: $(VENV)/.installed ## The proofs with their full numbers, on a cluster of real processes; writes docs/proofs.md
	PROOFS=long $(BIN)/python -m pytest tests/proofs -v $(PYTEST_ARGS)

check: format-check lint types imports ## Every static gate

format: $(VENV)/.installed ## Rewrite the code in the house format
	$(BIN)/ruff format $(SOURCES)
	$(BIN)/ruff check --fix-only --quiet $(SOURCES)

format-check: $(VENV)/.installed
	$(BIN)/ruff format --check $(SOURCES)

lint: $(VENV)/.installed ## ruff
	$(BIN)/ruff check $(SOURCES)

types: $(VENV)/.installed ## mypy, strict
	$(BIN)/mypy services/*/src libs/*/src dev/*/src dev/local_stack tests conftest.py
# A folder of tests at a time: their conftest.py files would all be one module to mypy.
	@for folder in services/*/tests libs/*/tests dev/*/tests; do echo "mypy $$folder"; $(BIN)/mypy "$$folder" || exit 1; done

imports: $(VENV)/.installed ## import-linter: imports point downwards, see ARCHITECTURE.md
	PYTHONPATH= $(BIN)/lint-imports

check-deploy: ## The deployment files: hadolint, kustomize, Kubernetes schemas (brings its own pinned tools)
	PYTHON="$(PYTHON)" deploy/check

compose-test: $(VENV)/.installed ## Build the images, run docker-compose.yml, drive it with a real client (needs Docker)
	deploy/compose-test

conformance: $(VENV)/.installed ## The official MCP conformance suite against the whole stack (needs the npm registry once)
	$(BIN)/python tests/conformance/run.py

real-clients: $(VENV)/.installed ## Programs from npm sign in and call tools: SDKs, Inspector, mcp-remote (needs the npm registry once)
	REAL_CLIENTS=$(STATE)/real-clients $(BIN)/python -m pytest tests/real_clients -v $(PYTEST_ARGS)

##@ Maintain

COMPILE = "$(UV)" pip compile --quiet --universal --python-version 3.11.2 --generate-hashes \
	--no-emit-index-url --no-emit-package mcp-pingone-service-kit --custom-compile-command "make lock" $(LOCK_ARGS)

lock: $(VENV)/.uv ## Recompile requirements/*.txt (LOCK_ARGS="--upgrade" takes newer releases)
	$(COMPILE) requirements/uv.in -o requirements/uv.txt
	$(COMPILE) requirements/build.in -o requirements/build.txt
	$(COMPILE) requirements/development.in $(MEMBER_PROJECTS) -o requirements/development.txt
	$(COMPILE) services/auth/pyproject.toml libs/service-kit/pyproject.toml -c requirements/development.txt -o requirements/auth.txt
	$(COMPILE) services/mcp/pyproject.toml libs/service-kit/pyproject.toml -c requirements/development.txt -o requirements/mcp.txt
	$(COMPILE) services/todo-api/pyproject.toml libs/service-kit/pyproject.toml -c requirements/development.txt -o requirements/todo-api.txt
	$(COMPILE) dev/pingone-simulator/pyproject.toml libs/service-kit/pyproject.toml -c requirements/development.txt -o requirements/pingone-simulator.txt
	$(COMPILE) deploy/tools.in -o deploy/tools.txt
	$(COMPILE) --no-deps deploy/kubectl.in -o deploy/kubectl.txt

distclean: clean ## Also remove the Python environment and all caches
	rm -rf build $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis

help: ## Print this help
	@awk 'BEGIN {FS = ":.*## "; print "mcp-pingone\n\nUsage: make <target>"} \
		/^##@/ {printf "\n\033[1m%s\033[0m\n", substr($$0, 5)} \
		/^[a-z-]+:.*## / {printf "  \033[36m%-13s\033[0m %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

# The environment: created once, installed again whenever a lock or a member's metadata changes. What fails halfway is
# begun again the next time.
$(VENV)/bin/python:
	@command -v "$(PYTHON)" >/dev/null || { echo "there is no $(PYTHON) here; point PYTHON at one: make PYTHON=/path/to/python3.13"; exit 1; }
	@$(PYTHON) -c 'import sys; v = sys.version_info[:3]; sys.exit(v < (3, 11, 2) or v == (3, 12, 0))' \
		|| { echo "mcp-pingone needs Python 3.11.2 or newer, and not 3.12.0; point PYTHON at one: make PYTHON=/path/to/python3.13"; exit 1; }
	$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

$(VENV)/.uv: $(VENV)/bin/python requirements/uv.txt
	@test -x "$(UV)" || $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt
	@touch $@

$(VENV)/.installed: $(VENV)/.uv requirements/development.txt $(MEMBER_PROJECTS)
	"$(UV)" pip install --quiet --python $(BIN)/python --require-hashes -r requirements/development.txt
	"$(UV)" pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation $(MEMBERS:%=-e ./%)
	@echo "$(CURDIR)/dev" > "$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/mcp_pingone_local_stack.pth"
	@touch $@

.PHONY: demo dev compose migrate clean test test-pythons prove check check-deploy compose-test conformance real-clients format format-check lint types imports lock distclean help
