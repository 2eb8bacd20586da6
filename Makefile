# Every target makes .venv first where it is missing or out of date; see scripts/setup_env.py.
.DEFAULT_GOAL := help
.PHONY: help setup test lint format types demo docs test-card test-forks test-ray pictures
.NOTPARALLEL:

# Two test processes: more threads than that only get in each other's way.
ONE_THREAD := OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 NUMBA_NUM_THREADS=1
PYTEST_ARGS ?=
DEMO_ARGS ?=

export PYTHON

help: ## List the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12
	@echo 'Set PYTHON to choose a Python 3.11 or 3.12, MMCOMPOSE_CACHE where the compiled mmcv is kept.'

setup: ## Make .venv with pinned versions; nothing to do where it is complete
	@bash scripts/setup_env.sh

demo: setup ## Two teachers into one student, start to end, on the CPU
	.venv/bin/python benchmarks/demo.py --out benchmarks/results/demo.json $(DEMO_ARGS)

test: setup ## Run the tests (PYTEST_ARGS="-k fusion" for some of them)
	$(ONE_THREAD) .venv/bin/python -m pytest -q -n 2 --dist worksteal $(PYTEST_ARGS)

lint: setup ## Check style
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .

format: setup ## Mend style
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

types: setup ## Check types
	.venv/bin/mypy mmcompose

docs: setup ## Build the documentation site into site/
	@test -x .venv/docs/bin/mkdocs || { .venv/bin/python -m venv .venv/docs && \
		.venv/docs/bin/pip install -q -r requirements/docs.txt -c constraints.txt; }
	.venv/bin/python -W ignore scripts/config_reference.py
	.venv/bin/python -W ignore scripts/command_reference.py
	NO_MKDOCS_2_WARNING=1 .venv/docs/bin/mkdocs build --strict --quiet

test-card: setup ## Test the composition card in the system's Chromium (apt-get install chromium)
	.venv/bin/pip install -q -r requirements/browser.txt -c constraints.txt
	$(ONE_THREAD) .venv/bin/python -m pytest -q tests/browser $(PYTEST_ARGS)

test-ray: setup ## Test labelling on a local Ray cluster, of which a process is killed
	.venv/bin/pip install -q -c constraints.txt ray
	$(ONE_THREAD) .venv/bin/python -m pytest -q tests/composition/test_ray.py $(PYTEST_ARGS)

pictures: setup ## Draw docs/images from what `make demo` left
	.venv/bin/python benchmarks/pictures.py

test-forks: setup ## Run the tests that touch MMDetection with OneDL's maintained forks
	$(ONE_THREAD) bash scripts/test_forks.sh $(PYTEST_ARGS)
