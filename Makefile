# Easel. `make help` lists everything.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PORT ?= 0
OUT ?= out
PROMPT ?= a large red circle on a white background
REQUIREMENTS := requirements.txt constraints.txt $(wildcard */requirements.txt)
SIMULATOR := tests/policies/node_modules
SHELL := bash
export SAM_CLI_TELEMETRY := 0

.DEFAULT_GOAL := help
.PHONY: help install run imagine finetune test check lint format types imports template policies simulator generated tiny-model evaluate evaluate-training bench clean

help: ## This list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  \033[1mmake %-12s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(VENV)/.installed ## Make the virtual environment and install what is pinned

$(VENV)/.installed: $(REQUIREMENTS)
	@$(PYTHON) -c 'import sys; sys.exit(f"Easel needs Python 3.11 or newer; {sys.executable} is {sys.version.split()[0]}. Try: make $(MAKECMDGOALS) PYTHON=python3.12" if sys.version_info < (3, 11) else 0)'
	@echo "Making $(VENV) and installing what is pinned (once; about 1.6 GB, a few minutes) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --disable-pip-version-check -r requirements.txt
	@touch $@
	@echo "Installed."

run: install ## Start the whole system on this machine and print the workspace page's address (PORT= to choose)
	@exec $(BIN)/python -m deploy.local run --port $(PORT)

imagine: install ## Paint PROMPT="…" through the whole system, without a browser; OUT=dir for the picture
	@$(BIN)/python -m deploy.local imagine --prompt "$$EASEL_PROMPT" --out $(OUT)
imagine: export EASEL_PROMPT = $(PROMPT)

finetune: install ## Train a LoRA through the whole system, by the form, and judge it by its pixels; out/finetune.json
	@$(BIN)/python -m deploy.local finetune --out $(OUT)

test: install simulator ## Run the tests
	@$(BIN)/python -m pytest -n 4 --no-loadscope-reorder

check: install lint types imports template policies test ## Everything CI checks

lint: install ## Style and mistakes (ruff)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

format: install ## Let ruff mend style
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

types: install ## Types (mypy)
	@$(BIN)/mypy

imports: install ## The architecture's boundaries (import-linter)
	@PYTHONPATH=. $(BIN)/lint-imports

$(VENV)-sam/.installed: deploy/sam-requirements.txt
	@echo "Installing the SAM command line, apart because its pins differ ..."
	@$(PYTHON) -m venv $(VENV)-sam
	@$(VENV)-sam/bin/python -m pip install --disable-pip-version-check -q -r deploy/sam-requirements.txt
	@touch $@

template: install $(VENV)-sam/.installed ## The deployment's template (cfn-lint, sam validate --lint)
	@$(BIN)/cfn-lint deploy/template.yaml
	@$(VENV)-sam/bin/sam validate --lint --template deploy/template.yaml --region us-east-1

$(VENV)-lint/.installed: deploy/lint-requirements.txt
	@echo "Installing the linter of IAM policies, apart because it needs an older setuptools ..."
	@$(PYTHON) -m venv $(VENV)-lint
	@$(VENV)-lint/bin/python -m pip install --disable-pip-version-check -q -r deploy/lint-requirements.txt
	@touch $@

policies: install $(VENV)-lint/.installed ## Every IAM policy, linted (parliament)
	@set -o pipefail; PYTHONPATH=. $(BIN)/python -m tests.policies.rendered | $(VENV)-lint/bin/python tests/policies/lint.py

simulator: $(SIMULATOR)/.installed ## The policy simulator that tests ask, where there is a node to run it

$(SIMULATOR)/.installed: tests/policies/package-lock.json
	@if command -v npm >/dev/null; then \
	  echo "Installing the policy simulator for the tests ..."; \
	  npm ci --prefix tests/policies --ignore-scripts --silent && touch $@; \
	else echo "There is no npm, so the tests skip what the policy simulator proves: apt-get install nodejs npm"; fi

generated: install ## Write the generated files anew (tests notice stale ones)
	@$(BIN)/python -m backend_lambda.api.openapi > backend_lambda/api/openapi.json
	@$(BIN)/python -m backend_lambda.api.reference > docs/api-reference.md
	@$(BIN)/python -m commands.manifest > deploy/slack_manifest.json
	@$(BIN)/python -m commands.reference > docs/commands.md

tiny-model: install ## Train the miniature model from its drawings (hours on two cores)
	@$(BIN)/python -m endpoint.tiny.train --out endpoint/tiny/model

evaluate: install ## Judge the miniature model by its pixels
	@$(BIN)/python -m endpoint.tiny.evaluate

evaluate-training: install ## Train the miniature model on a thing that it can't draw, and judge that (minutes)
	@$(BIN)/python -m endpoint.tiny.evaluate_training

bench: install ## Figures: ack, cold start, the platform's overhead, a training step; out/bench.json
	@$(BIN)/python -m deploy.local bench

clean: ## Remove what was built and installed
	rm -rf $(VENV) $(VENV)-sam $(VENV)-lint $(SIMULATOR) out build .mypy_cache .ruff_cache .hypothesis .import_linter_cache
