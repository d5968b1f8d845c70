# Two commands do everything: `make demo` and `make test`. Make prepares the machine, nox checks the work (docs/decisions/0001).

VENV ?= .venv
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11; do \
	"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo "$$python"; break; }; done)
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input
export PATH := $(abspath $(BIN)):$(PATH)

LOCKED := $(VENV)/.locked
READY := $(VENV)/.ready
NODE := node_modules/.ready

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup demo lab lint test test-all soak docker bench browser engine lock pictures clean

help: ## show these lines
	@echo "flowbook: workflows that live in the notebook"
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' $(firstword $(MAKEFILE_LIST)) | while IFS='|' read -r name text; do \
		printf '%-16s %s\n' "$$name" "$$text"; done

setup: $(READY) ## put everything that Python needs into .venv

demo: $(READY) ## run the quickstart in the terminal: pause, resume, results, demo.html
	$(BIN)/python notebooks/demo.py

lab: $(READY) ## open the notebooks in JupyterLab
	$(BIN)/python scripts/labextension.py $(CURDIR)/.cache/labextensions
	$(BIN)/jupyter lab --LabServerApp.extra_labextensions_path=$(CURDIR)/.cache/labextensions --ServerApp.jpserver_extensions="{'flowbook.pages.jupyter': True}" $(if $(filter 0,$(shell id -u)),--allow-root) notebooks

lint: $(READY) $(NODE) ## style, types, layers and JavaScript, without running anything
	$(BIN)/nox -s lint types js

test: $(READY) $(NODE) browser ## check everything, the browser included
	$(BIN)/nox -s lint types js tests

test-all: $(READY) $(NODE) browser ## the tests on every Python found, every supported ipykernel and JupyterLab
	$(BIN)/nox -s lint types js all kernels labs

soak: $(READY) ## the long form of the tests that kill, flip and race
	$(BIN)/nox -s soak

docker: $(READY) engine ## the tests of containers, against a Docker engine of their own; as root, on Linux
	$(BIN)/nox -s docker

bench: $(READY) ## measure flowbook beside its peers: about 15 minutes (docs/performance.md)
	$(BIN)/python -m benchmarks

pictures: $(READY) browser ## take the pictures of README: the quickstart's panel in JupyterLab, light and dark
	$(BIN)/python scripts/pictures.py

lock: $(READY) ## choose versions anew: requirements.lock and package-lock.json
	sh scripts/lock.sh

clean: ## remove what make and the tools made
	rm -rf $(VENV) node_modules .nox .cache artifacts build dist demo.html
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

browser:
	@sh scripts/browser.sh

engine:
	@sh scripts/docker_packages.sh

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "flowbook needs Python 3.11 or newer, and none was found. Install one, or say where it is: make PYTHON=/path/to/python3" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "No virtual environment could be made. On Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }

$(LOCKED): requirements.lock | $(BIN)/python
	@echo "Installing the locked packages: about a minute the first time, nothing after that."
	$(PIP) install --quiet --require-hashes --use-pep517 --requirement requirements.lock
	@touch $@

$(READY): $(LOCKED) pyproject.toml
	$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(NODE): package-lock.json | $(READY)
	$(BIN)/npm ci --silent
	@touch $@
