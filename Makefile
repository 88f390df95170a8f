# Every target sets up .venv by itself. `make help` lists them.
#   PYTHON=python3.12     the interpreter to build .venv with (3.11 to 3.13)
#   TENSORFLOW='tensorflow[and-cuda]'   instead of the CPU wheel, when .venv is made
#   LATEST=1              newest versions instead of the pins, when .venv is made
#   WORKERS=2             test processes (0: one after the other, as a GPU needs)
#   SEED=3                `make course` and `make jax` with other seeds
#   CHAPTERS="01 05"      only these, for course, jax, notebooks, seeds and sabotage
#   ARGS=--short          `make bench` in 10 minutes

CHOOSE = import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python; do \
	$$p -c "$(CHOOSE)" 2>/dev/null && echo $$p && break; done)
BIN = $(if $(filter Windows_NT,$(OS)),.venv/Scripts,.venv/bin)
RUN = $(BIN)/python
WORKERS ?= 2
SEED ?= 0
JAX ?= jax==0.10.2
CHAPTERS ?=
N ?= 20
READY = .venv/ready

.PHONY: help setup lab test lint course jax notebooks seeds sabotage publish handout bench pins clean

help:  ## show this
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "%-11s %s\n", $$1, $$2}' Makefile

setup: $(READY)  ## make .venv with everything pinned

$(READY): requirements.txt pyproject.toml
	@test -n "$(PYTHON)" || { echo "No Python 3.11, 3.12 or 3.13 found: get one from" \
		"python.org or your system, or name it: make PYTHON=/path/to/python"; exit 1; }
	@echo "Setting up .venv with $(PYTHON) (a few minutes the first time) ..."
	@$(PYTHON) -m venv .venv || { echo "Debian and Ubuntu: apt install python3-venv"; exit 1; }
ifdef LATEST
	@$(RUN) -m pip install -q --upgrade -r requirements.in
else ifdef TENSORFLOW
	@grep -v '^tensorflow' requirements.txt > .venv/requirements.txt
	@$(RUN) -m pip install -q -r .venv/requirements.txt \
		"$(TENSORFLOW)==$$(sed -n 's/^tensorflow==\([0-9.]*\).*/\1/p' requirements.txt)"
else
	@$(RUN) -m pip install -q -r requirements.txt
endif
	@$(RUN) -m pip install -q --no-deps -e .
	@touch $(READY)

lab: $(READY)  ## open JupyterLab on your own copies in work/
	@$(RUN) -m tools.lab $(ARGS)

test: lint  ## lint, unit tests, every notebook cell; no network
	@$(RUN) -m pytest -q -n $(WORKERS) $(ARGS)

lint: $(READY)
	@$(RUN) -m ruff check -q . && $(RUN) -m ruff format -q --check .

course: $(READY)  ## execute every chapter: HTML, claims, seconds, memory
	@DL_COURSE_SEED=$(SEED) $(RUN) -m tools.course $(CHAPTERS)

jax: $(READY)  ## the chapters whose claims also hold with JAX beneath Keras
	@$(RUN) -m pip install -q $(JAX)
	@DL_COURSE_SEED=$(SEED) $(RUN) -m tools.course --jax $(CHAPTERS)

notebooks: $(READY)  ## make notebooks/*.ipynb from notebooks/src
	@$(RUN) -m tools.chapters
	@$(RUN) -m tools.notebooks $(CHAPTERS) $(ARGS)
	@$(RUN) -m tools.readme
	@$(RUN) -m tools.places

seeds: $(READY)  ## each claim of CHAPTERS with N=20 seeds: how far from its bound?
	@$(RUN) -m tools.seeds $(CHAPTERS) --runs $(N) $(ARGS)

sabotage: $(READY)  ## the ideas of CHAPTERS switched off: do their claims notice?
	@$(RUN) -m tools.sabotage $(CHAPTERS) $(ARGS)

publish: $(READY)  ## REPO=owner/name TAG=v2.0.0: where notebooks may install from
	@$(RUN) -m tools.publish $(or $(REPO),--not) $(TAG)

handout: $(READY)  ## notebooks without solutions, in build/handout
	@$(RUN) -m tools.notebooks --handout $(CHAPTERS)

bench: $(READY)  ## one table: ours beside other people's recipes (an hour)
	@$(RUN) -m benchmarks $(ARGS)

pins: $(READY)  ## requirements.in -> requirements.txt
	@$(RUN) -m pip install -q uv
	@echo "# Made from requirements.in by \`make pins\`: Python 3.11 to 3.13, all systems." > .venv/pins
	@$(RUN) -m uv pip compile -q --universal --python-version 3.11 --no-header \
		--upgrade requirements.in >> .venv/pins
	@mv .venv/pins requirements.txt && echo "requirements.txt written: run make test"

clean:  ## remove .venv and build/ (never work/)
	@rm -rf .venv build
