# Everything a person does with the checkout. `make help` lists it.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
ENGINE_VENV := .fanout/engine-venv
FUZZ_VENV := .fanout/fuzz-venv
FUZZ_SECONDS ?= 120
AUDIT_VENV := .fanout/audit-venv
BIN := $(VENV)/bin
# The virtual environment comes first: a version manager's shim in front of it triples the time of `sam build`.
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: help setup lock format check lint types same-tests test test-all test-unit test-usecase test-engine test-cloud first-deployment prove-guarantees fuzz audit demo chaos chaos-ci generate clean

help: ## List the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  \033[1m%-16s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.installed ## Make .venv (fanout, sam, cfn-lint, tests) and the engine's own environment

$(VENV)/.installed: requirements/bootstrap.txt requirements/dev.txt requirements/engine.txt pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if v >= (3, 11) else f"fanout needs Python 3.11 or newer; {sys.executable} is {v.major}.{v.minor}. Name another one: make PYTHON=python3.12 $(MAKECMDGOALS)")'
	@echo "Making $(VENV): SAM CLI, cfn-lint, the fanout command, the test tools (about a minute the first time)"
	@$(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/pip install --quiet --quiet --disable-pip-version-check --require-hashes -r requirements/bootstrap.txt
# Compiled once: with PYTHONDONTWRITEBYTECODE set, every command would compile boto3 and typer again.
	@$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes -r requirements/dev.txt
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@echo "Making $(ENGINE_VENV): the local engine"
	@$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(ENGINE_VENV)
	@$(BIN)/uv pip install --quiet --python $(ENGINE_VENV)/bin/python --require-hashes -r requirements/engine.txt
	@touch $@

lock: setup ## Resolve requirements/*.in into the locked *.txt
	@for name in audit bootstrap dev engine fuzz layer postgresql; do \
	  $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	    requirements/$$name.in --output-file requirements/$$name.txt || exit 1; done

format: setup ## Fix what ruff can fix, and format the Python files
	@ruff check --fix .
	@ruff format .

check: setup lint types same-tests ## Lint, types, templates: what must be clean before a commit

lint: setup
	@ruff check --quiet . && ruff format --check --quiet .
	@cfn-lint --append-rules lint -t template.yaml platform/*.yaml usecases/*/template.yaml
	@mkdir -p .fanout
	@lint-imports --no-logo --no-cache > .fanout/imports || { cat .fanout/imports; exit 1; }
	@pytest -q tests/contract/test_words.py

types: setup
	@mypy layers/common/fanout cli/fanout_cli local_engine/local_engine lint validation functions usecases

# pytest-xdist compares what its workers collect, so a test id that holds a time or a hash breaks a run now and then.
same-tests: setup ## Collect the tests twice, seconds apart and with another hash seed: the ids must be the same
	@mkdir -p .fanout/collected
	@for seed in 1 2; do \
	  PYTHONHASHSEED=$$seed pytest --collect-only -q -m "" -p no:cacheprovider > .fanout/collected/$$seed || { cat .fanout/collected/$$seed; exit 1; }; done
	@diff <(grep :: .fanout/collected/1) <(grep :: .fanout/collected/2) || { echo "These tests have another id in each run: give them ids of their own." >&2; exit 1; }

validate: setup $(AUDIT_VENV)/.installed ## Expand every stack as CloudFormation receives it and show it to every judge; first, that each finds planted faults
	@pytest -q --numprocesses logical --dist worksteal tests/validation
	@python -m validation

WITHOUT_ENGINE := tests/unit tests/contract tests/template tests/lint tests/chaos tests/adversarial local_engine/engine_tests/unit

test: setup ## The fast tests, then every use case once on the local engine (about five minutes)
	@pytest -q -m "not slow and not cloud" --numprocesses logical --dist worksteal $(WITHOUT_ENGINE)
	@pytest -q -m "not slow and not cloud" tests/integration/cli/test_demo.py

test-all: setup test-unit test-engine ## Every test: `make test`, whole builds, every test on the local engine (about half an hour)

test-unit: setup ## The tests that need no engine: units, contracts, templates, rules, whole builds
	@pytest -q --numprocesses logical --dist worksteal $(WITHOUT_ENGINE)

# worksteal: the slow tests of a use case stand beside each other, and one worker would get them all.
test-usecase: setup ## One use case's unit, sample and template tests: make test-usecase U=order_workflow
	@[[ -f "usecases/$(U)/template.yaml" ]] || { \
	  names=$$(echo usecases/*/template.yaml | sed -E 's|usecases/([^/]+)/template.yaml|\1|g; s| |, |g'); \
	  echo "U must be a use case: $$names." >&2; exit 2; }
	@pytest -q -m "not slow and not cloud" --numprocesses logical --dist worksteal tests/unit/$(U) \
	  tests/contract/test_samples.py tests/template -k $(U)

test-engine: setup ## The tests on the local engine: the engine itself, then the application, on two engines side by side
	@pytest -q --numprocesses 2 --dist loadfile --ignore local_engine/engine_tests/unit local_engine/engine_tests tests/integration
# On an engine of their own: who tries every call leaves marks in every store.
	@pytest -q tests/security

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

first-deployment: setup ## Deploy to AWS with checks between the steps: ACCOUNT=, REGION=, ACCEPT=, CONFIG_ENV=, REMOVE=stack
	@fanout first-deployment $(if $(ACCOUNT),--account $(ACCOUNT)) $(if $(REGION),--region $(REGION)) \
	  $(if $(CONFIG_ENV),--config-env $(CONFIG_ENV)) $(foreach name,$(ACCEPT),--accept $(name)) $(if $(REMOVE),--remove $(REMOVE))

# One file's tests beside the other's: they wait for AWS, for minutes.
test-cloud: setup ## The tests on AWS, of what the engine does not prove: FANOUT_CLOUD_STACK=fanout-dev make test-cloud
	@pytest -q -m cloud --numprocesses 5 --dist loadfile --timeout 1800 tests/cloud

prove-guarantees: setup ## Take each countermeasure of docs/guarantees.md away and check that its tests fail; ONLY=ID for one promise or proof
	@python -m tests.mutation.prove $(ONLY)

$(FUZZ_VENV)/.installed: $(VENV)/.installed requirements/fuzz.txt
	@$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(FUZZ_VENV)
	@$(BIN)/uv pip install --quiet --python $(FUZZ_VENV)/bin/python --require-hashes -r requirements/fuzz.txt
	@touch $@

fuzz: $(FUZZ_VENV)/.installed ## Search for bodies that break the decoder, for FUZZ_SECONDS (docs/hostile-input.md)
	@mkdir -p .fanout/fuzz
	@$(FUZZ_VENV)/bin/python tests/adversarial/fuzz_decoder.py -max_total_time=$(FUZZ_SECONDS) -max_len=16384 -rss_limit_mb=2048 \
	  -dict=tests/adversarial/decoder.dict -artifact_prefix=.fanout/fuzz/ .fanout/fuzz events/*/valid events/*/foreign

demo: setup ## Send every ordinary sample through the application on the local engine and check every effect
	@fanout demo; status=$$?; fanout down; exit $$status

EVENTS ?= 10000
SEED ?=
chaos: setup ## Attack the application with every kind of fault, 10,000 events (EVENTS=, SEED=), and account for each of them
	@python -m tests.chaos.chaos --events $(EVENTS) $(if $(SEED),--seed $(SEED))

chaos-ci: setup ## The same with a few hundred events and a seed that stays
	@python -m tests.chaos.chaos --events 500 --seed 20261122

generate: setup ## Write the files that are made from others: contracts, Lambda payloads, command reference, pictures
	@python -m fanout_cli.generate.contract_documents docs/contracts
	@python -m fanout_cli.generate.lambda_payloads .
	@python -m fanout_cli.generate.command_reference docs/commands.md
	@python -m fanout_cli.generate.topology_pictures .
	@python -m fanout_cli.generate.rejections . docs/rejections.md
	@python -m tests.mutation.guarantees
	@python -m tests.mutation.unproven
	@python -m tests.template.cost
	@python -m engine_tests.refusals.page
	@python -m engine_tests.refusals.resource_schemas

clean: ## Delete what was built or downloaded; stops the engine first
	@if [ -x $(BIN)/fanout ]; then $(BIN)/fanout down --purge >/dev/null 2>&1 || true; fi
	@rm -rf $(VENV) .fanout .aws-sam .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage htmlcov
