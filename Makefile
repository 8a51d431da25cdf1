# The commands of this project; `make` alone lists them.
.DEFAULT_GOAL := help
.PHONY: help setup demo test check lint bench synth docs openapi reference dashboards sbom audit lock clean

help:  ## List the commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup:  ## Install what is missing: system packages for real engines, .venv from the locks
	@scripts/setup.sh

demo: setup  ## Watch the whole loop on this machine; ARGS="--engines simulated" and the like are passed on
	@.venv/bin/swarmkeeper demo $(ARGS)

test:  ## All tests: unit (on a second Python too, where there is one), then real engines and the whole loop
	@scripts/setup.sh --test
	@scripts/test.sh

lint: setup  ## Format, lint, types and the layers' rules
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/lint-imports

check: lint test sbom  ## What CI runs: lint, then test, then the bill of materials

sbom: setup  ## Write what third-party code is deployed, as CycloneDX, to build/sbom.json
	.venv/bin/python -m infra.sbom build/sbom.json

audit: setup  ## Ask PyPI for known weaknesses of all that is locked; needs PyPI itself, so check leaves it out
	.venv/bin/python -m uv tool run pip-audit==2.10.1 --strict --disable-pip --require-hashes -r requirements/dev.txt

bench: setup  ## Measure what docs/performance.md states, as JSON in build/bench; ARGS=--quick: placement only
	@scripts/bench.sh $(ARGS)

synth:  ## Synthesise the CloudFormation template into build/cdk.out; works offline
	@scripts/setup.sh --node
	.venv/bin/python -m infra.app
	@echo "template: build/cdk.out"

docs: setup  ## Build the documentation's site into build/docs; works offline, and a link to nothing fails it
	@scripts/docs.sh

openapi: setup  ## Write the HTTP API's description to docs/openapi.json
	.venv/bin/python -m swarmkeeper.edge.openapi docs/openapi.json

reference: setup  ## Write the reference of swarmkeeper.yaml to docs/configuration.md
	.venv/bin/python -m swarmkeeper.edge.settings_reference docs/configuration.md

dashboards: setup  ## Write Grafana's dashboards and alert rules into compose/monitoring
	@.venv/bin/python -m infra.grafana.files

lock:  ## Lock pyproject.toml's requirements again; ARGS=--upgrade takes newer releases
	@scripts/setup.sh
	@scripts/lock.sh $(ARGS)

clean:  ## Remove what was built here; the virtual environments stay
	rm -rf build cdk.out node_modules .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -not -path './.venv*' -prune -exec rm -rf {} +
