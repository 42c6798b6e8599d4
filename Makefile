# Everything a person does with the checkout. `make help` lists it.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
ENGINE_VENV := .fanout/engine-venv
AUDIT_VENV := .fanout/audit-venv
BIN := $(VENV)/bin
# The virtual environment comes first: a version manager's shim in front of it triples the time of `sam build`.
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: help setup lock check lint types test test-unit test-engine audit demo generate clean

help: ## List the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  \033[1m%-12s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.installed ## Make .venv (fanout, sam, cfn-lint, tests) and the engine's own environment

$(VENV)/.installed: requirements/bootstrap.txt requirements/dev.txt requirements/engine.txt pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if v >= (3, 11) else f"fanout needs Python 3.11 or newer; {sys.executable} is {v.major}.{v.minor}. Name another one: make PYTHON=python3.12 $(MAKECMDGOALS)")'
	@echo "Making $(VENV): SAM CLI, cfn-lint, the fanout command, the test tools (about a minute the first time)"
	@$(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/pip install --quiet --quiet --disable-pip-version-check --require-hashes -r requirements/bootstrap.txt
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements/dev.txt
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@echo "Making $(ENGINE_VENV): the local engine"
	@$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(ENGINE_VENV)
	@$(BIN)/uv pip install --quiet --python $(ENGINE_VENV)/bin/python --require-hashes -r requirements/engine.txt
	@touch $@

lock: setup ## Resolve requirements/*.in into the locked *.txt
	@for name in audit bootstrap dev engine layer postgresql; do \
	  $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	    requirements/$$name.in --output-file requirements/$$name.txt || exit 1; done

check: setup lint types ## Lint, types, templates: what must be clean before a commit

lint: setup
	@ruff check --quiet . && ruff format --check --quiet .
	@cfn-lint --append-rules lint -t template.yaml platform/*.yaml usecases/*/template.yaml

types: setup
	@mypy layers/common/fanout cli/fanout_cli lint
	@for folder in functions/*/; do (cd $$folder && mypy --config-file $(CURDIR)/pyproject.toml --cache-dir $(CURDIR)/.mypy_cache/$$folder .) || exit 1; done

test: setup test-unit test-engine ## All tests, the fast ones first

test-unit: setup ## The tests that need no engine: units, contracts, templates, rules
	@pytest -q --numprocesses logical --dist worksteal tests/unit tests/contract tests/template tests/lint

test-engine: setup ## The tests on the local engine: the engine itself, then the application, on two engines side by side
	@pytest -q --numprocesses 2 --dist loadfile tests/engine tests/integration tests/security

audit: $(AUDIT_VENV)/.installed ## checkov on every template, then known vulnerabilities in what is locked (asks PyPI)
	@$(AUDIT_VENV)/bin/checkov --config-file .checkov.yaml --file template.yaml platform/*.yaml usecases/*/template.yaml
	@echo "checkov has nothing to say"
# --strict: a package that PyPI tells nothing about is a failure. Without it, an audit that reached nobody would pass.
	@for file in requirements/*.txt; do \
	  echo "$$file"; \
	  $(AUDIT_VENV)/bin/pip-audit --strict --progress-spinner off --require-hashes --disable-pip --requirement $$file && continue; \
	  echo "A vulnerability: raise the version (make lock), or say in docs/security.md why it stays." >&2; \
	  echo "'could not be audited', or no connection: PyPI's own JSON interface must be reachable; a mirror has none." >&2; \
	  exit 1; done

$(AUDIT_VENV)/.installed: $(VENV)/.installed requirements/audit.txt
	@echo "Making $(AUDIT_VENV): checkov and pip-audit"
	@$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(AUDIT_VENV)
	@$(BIN)/uv pip install --quiet --python $(AUDIT_VENV)/bin/python --require-hashes -r requirements/audit.txt
	@touch $@

demo: setup ## Send every ordinary sample through the application on the local engine and check every effect
	@fanout demo; status=$$?; fanout down; exit $$status

generate: setup ## Write the files that are made from others: contracts, Lambda payloads, command reference, pictures
	@python -m fanout_cli.contract_documents docs/contracts
	@python -m fanout_cli.lambda_payloads .
	@python -m fanout_cli.command_reference docs/commands.md
	@python -m fanout_cli.topology_pictures .

clean: ## Delete what was built or downloaded; stops the engine first
	@if [ -x $(BIN)/fanout ]; then $(BIN)/fanout down --purge >/dev/null 2>&1 || true; fi
	@rm -rf $(VENV) .fanout .aws-sam .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage htmlcov
