# One target a wish; CI runs the same ones. Needed: Python 3.11 or newer with venv, git, make. All else is set up in
# .venv, from the exact versions of constraints.txt, again only when one of the three files below has changed.

MAKEFLAGS += --no-print-directory
METADATA := setup.cfg pyproject.toml constraints.txt
BIN := .venv/bin
NEW_ENOUGH := -c 'import sys; sys.exit(sys.version_info < (3, 11))'
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p $(NEW_ENOUGH) 2>/dev/null && { echo $$p; exit; }; done; echo python3)

# Many images set it: then each of a thousand processes would compile what it imports.
unexport PYTHONDONTWRITEBYTECODE

FAST := not (cluster or notebook or demo or browser or gpu or corpus or jobs or long)
# `alone`: restarts of the node's servers, floods, exact times, the machine's one GPU.
TOGETHER := not (alone or long)
# tests/abreast.py says how many, what stays in one process, and what begins first.
SIDE_BY_SIDE := -n auto --dist loadfile
# Most of a test's time on the cluster is waiting for pods: tests that need none have the cores meanwhile.
WITH_THE_CLUSTER := -n 4 --dist loadfile

DEVELOP := .venv/.with-demo,hub,test

.PHONY: help demo test test-fast test-long check docs fix lab hub bench cluster-up cluster-down upgrade

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' Makefile

demo: .venv/.with-demo ## watch a notebook cell train a real model as a job on this machine, no cluster needed
	@KUBE_MAGICS_BACKEND=local $(BIN)/python notebooks/run.py notebooks/quickstart.ipynb
	@echo
	@echo 'The same notebook in JupyterLab: make lab, then open quickstart.ipynb and choose Run > Run All Cells.'

test: check docs ## everything: check, docs, all tests, the notebooks, the real cluster, make demo in a bare root file system
	@$(BIN)/python -m pytest $(WITH_THE_CLUSTER) -m '$(TOGETHER)'
	@$(BIN)/python -m pytest -m 'alone and not long'

test-fast: $(DEVELOP) ## the tests that need neither cluster nor whole notebooks; under a minute
	@$(BIN)/python -m pytest $(SIDE_BY_SIDE) --hypothesis-profile quick -m '$(FAST)'

test-long: check docs ## all of test in its long forms
	@$(BIN)/python -m pytest $(WITH_THE_CLUSTER) -m 'not alone'
	@$(BIN)/python -m pytest -m alone

check: $(DEVELOP) ## lint, format, types, layers, and what the runner may use of Python
	@$(BIN)/ruff check --quiet --output-format concise .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/lint-imports --no-cache > .venv/lint-imports.log || { cat .venv/lint-imports.log; exit 1; }
	@$(BIN)/vermin --quiet --no-tips --violations --target=3.8- kube_magics/runner kube_magics/artifacts

fix: $(DEVELOP) ## mend what can be mended by itself: format, imports, simple lint, generated pages
	@$(BIN)/ruff check --quiet --fix .
	@$(BIN)/ruff format --quiet .
	@$(BIN)/python -m kube_magics.spec.pages > docs/options.md
	@$(BIN)/python -m kube_magics.spec.verbpages > docs/verbs.md
	@$(BIN)/python -m kube_magics.spec.errorpage > docs/errors.md
	@$(BIN)/python -m kube_magics.cluster.rightspage > docs/rights.md

docs: .venv/.with-docs ## build the pages into build/docs; a broken link or a page that nothing lists is an error
	@$(BIN)/sphinx-build --quiet --fresh-env --fail-on-warning --keep-going -b html docs build/docs

lab: .venv/.with-demo,lab ## open the notebooks in JupyterLab
	@$(BIN)/jupyter lab --notebook-dir=notebooks $(LAB)

hub: .venv/.with-demo,lab,hub ## a JupyterHub for several people on this machine; options: make hub HUB=--help
	@$(BIN)/python hub-config/local/start.py $(HUB)

bench: $(DEVELOP) ## measure; choose with BENCH=load
	@$(BIN)/python -m benchmarks $(BENCH)

cluster-up: $(DEVELOP) ## start the real test cluster, print the line that points Jupyter and kubectl at it
	@$(BIN)/python -m tests.cluster up

cluster-down: $(DEVELOP) ## stop it and leave nothing behind
	@$(BIN)/python -m tests.cluster down

upgrade: $(DEVELOP) ## renew constraints.txt to the newest versions that setup.cfg allows
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --all-extras --upgrade --no-header --no-annotate \
		--no-emit-index-url --no-emit-find-links --output-file constraints.txt setup.cfg > /dev/null
	@git --no-pager diff --stat -- constraints.txt

.venv/.made:
	@$(PYTHON) $(NEW_ENOUGH) 2>/dev/null || { echo 'kube_magics needs Python 3.11 or newer, and "$(PYTHON)" is not.' \
		'Install one (Debian, Ubuntu: apt-get install python3 python3-venv) or name it: make PYTHON=python3.12' >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo '"$(PYTHON)" cannot make virtual environments:' \
		'its venv or ensurepip is missing (Debian, Ubuntu: apt-get install python3-venv).' >&2; exit 1; }
	@$(PYTHON) -m venv .venv
	@touch $@

# The build of our own package is held to the same versions: pip before 25.3 reads the first variable for it.
.venv/.with-%: .venv/.made $(METADATA)
	@echo 'installing into .venv: kube_magics[$*]'
	@PIP_CONSTRAINT=constraints.txt PIP_BUILD_CONSTRAINT=constraints.txt PIP_DISABLE_PIP_VERSION_CHECK=1 \
		$(BIN)/python -m pip install --quiet --editable '.[$*]'
	@touch $@
