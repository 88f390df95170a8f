# Every command sets up .venv by itself, and mends it: `make help` lists them.
#   PYTHON=python3.12     the interpreter to build .venv with (3.11 to 3.13)
#   TENSORFLOW='tensorflow[and-cuda]'   instead of the CPU wheel, when .venv is made
#   LATEST=1              newest versions instead of the pins, when .venv is made
#   WORKERS=2             test processes (0: one after the other, as a GPU needs)
#   SEED=3                `make course` and `make jax` with other seeds
#   CHAPTERS="01 05"      only these, for course, jax, notebooks, seeds and sabotage
#   CHAPTER=05            only this one, for assignment and grade
#   ARGS=--short          `make bench` in 10 minutes

CHOOSE = import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
VERSION = import sys; print(*sys.version_info[:2], sep=".")
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python; do \
	$$p -c "$(CHOOSE)" 2>/dev/null && echo $$p && break; done)
BIN = $(if $(filter Windows_NT,$(OS)),.venv/Scripts,.venv/bin)
RUN = $(BIN)/python
WORKERS ?= 2
SEED ?= 0
JAX ?= jax==0.10.2
CHAPTERS ?=
N ?= 20

# Two lists: what a learner needs, and on top of it what tests and makes the course.
LAB = .venv/ready
ALL = .venv/ready-test
PIP = $(RUN) -m pip install -q --disable-pip-version-check

# "broken" if .venv has no Python that works, one of a wrong version, or another version
# than PYTHON= asks for; then it is made anew.
ASKED = $(filter command environment,$(firstword $(origin PYTHON)))
BROKEN := $(shell test -d .venv || exit 0; \
	$(RUN) -c '$(CHOOSE)' 2>/dev/null || { echo broken; exit 0; }; \
	test -z '$(ASKED)' || test "$$($(RUN) -c '$(VERSION)')" = \
		"$$($(PYTHON) -c '$(VERSION)' 2>/dev/null)" || echo broken)

.PHONY: help setup lab check handout slides assignment grade test lint course jax \
	notebooks seeds sabotage publish bench site pins clean broken

help:  ## show this
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "%-11s %s\n", $$1, $$2}' Makefile

# ---------------------------------------------------------------- setting up

setup: $(LAB)  ## make .venv with what a learner needs
	@echo "Ready: make lab opens the course, make test tests it."

$(LAB): requirements.txt pyproject.toml $(BROKEN)
	@test -n "$(PYTHON)" || { echo "No Python 3.11, 3.12 or 3.13 found: get one from" \
		"python.org or your system, or name it: make PYTHON=/path/to/python"; exit 1; }
	@$(PYTHON) -c '$(CHOOSE)' 2>/dev/null || { echo "PYTHON=$(PYTHON): expected Python" \
		"3.11, 3.12 or 3.13, got $$($(PYTHON) -V 2>&1 | tail -n 1)"; exit 1; }
	@test -w . || { echo "This folder cannot be written: copy the course to one of" \
		"yours, then run make there."; exit 1; }
	@echo "Setting up .venv with $(PYTHON): about 2 GB, a few minutes the first time ..."
	@test -z "$(BROKEN)" && $(RUN) -c 'import pip' 2>/dev/null || { \
		$(PYTHON) -c 'import ensurepip' 2>/dev/null || { \
			echo "$(PYTHON) comes without ensurepip, which makes .venv."; \
			if command -v apt-get >/dev/null; then \
				echo "To get it: sudo apt install python$$($(PYTHON) -c '$(VERSION)')-venv"; \
			else echo "Get Python from python.org, or name another: make PYTHON=..."; fi; \
			exit 1; }; \
		$(PYTHON) -m venv $(if $(BROKEN),--clear) .venv || { echo "Python could not make" \
			".venv, see above. make clean removes what is there."; exit 1; }; }
ifdef LATEST
	@$(PIP) --upgrade -r requirements.in || { $(ADVICE); }
else ifdef TENSORFLOW
	@grep -v '^tensorflow' requirements.txt > .venv/requirements.txt
	@$(PIP) -r .venv/requirements.txt "$(TENSORFLOW)==$$(sed -n \
		's/^tensorflow==\([0-9.]*\).*/\1/p' requirements.txt)" || { $(ADVICE); }
else
	@$(PIP) -r requirements.txt || { $(ADVICE); }
endif
	@$(PIP) --no-deps -e . || { $(ADVICE); }
	@touch $(LAB)

$(ALL): $(LAB) requirements-test.txt
	@echo "Adding to .venv what tests and makes the course ..."
ifdef LATEST
	@grep -v '^-c' requirements-test.in > .venv/requirements-test.in
	@$(PIP) --upgrade -r .venv/requirements-test.in || { $(ADVICE); }
else
	@$(PIP) -r requirements-test.txt || { $(ADVICE); }
endif
	@touch $(ALL)

ADVICE = echo "The installation stopped, see above; it needs the network. The same command" \
	"goes on where it stopped; make clean starts anew."; exit 1

# ---------------------------------------------------------------- for learners

lab: $(LAB)  ## open JupyterLab on your own copies in work/
	@$(RUN) -m tools.lab $(ARGS)

check: $(LAB)  ## is this machine ready? ten seconds, and what to do if not
	@$(RUN) -m tools.ready

# ---------------------------------------------------------------- for teachers

handout: $(ALL)  ## notebooks without solutions, in build/handout (HINTS=1: with hints)
	@$(RUN) -m tools.notebooks --handout $(if $(HINTS),--hints) $(CHAPTERS)

slides: $(ALL)  ## slides of CHAPTERS, in build/slides; they need no network
	@$(RUN) -m tools.slides $(CHAPTERS)

assignment: $(ALL)  ## CHAPTER=05: its exercises for nbgrader, in build/assignment
	@$(RUN) -m tools.grading assignment $(CHAPTER)

grade: $(ALL)  ## CHAPTER=05 FROM=folder: a table of what students handed in
	@$(RUN) -m tools.grading grade $(CHAPTER) --from "$(FROM)"

# ---------------------------------------------------------------- testing

test: lint  ## lint, unit tests, every notebook cell; no network (20 minutes)
	@echo "$(if $(ARGS),The tests you name,Unit tests and every cell of every notebook: \
		about 20 minutes on two cores) ..."
	@$(RUN) -m tools.files $(RUN) -m pytest -q -n $(WORKERS) $(ARGS) || { code=$$?; \
		echo "Not passed. Of a notebook read the first failing cell: later ones often" \
		"fail only because of it."; exit $$code; }

lint: $(ALL)
	@echo "Linting ..."
	@$(RUN) -m ruff check -q . && $(RUN) -m ruff format -q --check . || { echo "To mend" \
		"what can be mended: $(BIN)/ruff check --fix . ; $(BIN)/ruff format ."; exit 1; }

course: $(ALL)  ## execute every chapter: claims, seconds, memory (25 minutes)
	@DL_COURSE_SEED=$(SEED) $(RUN) -m tools.course $(CHAPTERS)

jax: $(ALL)  ## the chapters whose claims also hold with JAX beneath Keras
	@$(PIP) $(JAX) || { $(ADVICE); }
	@DL_COURSE_SEED=$(SEED) $(RUN) -m tools.course --jax $(CHAPTERS)

seeds: $(ALL)  ## each claim of CHAPTERS with N=20 seeds: how far from its bound?
	@$(RUN) -m tools.seeds $(CHAPTERS) --runs $(N) $(ARGS)

sabotage: $(ALL)  ## the ideas of CHAPTERS switched off: do their claims notice?
	@$(RUN) -m tools.sabotage $(CHAPTERS) $(ARGS)

bench: $(ALL)  ## one table: ours beside other people's recipes (an hour)
	@$(RUN) -m tools.files $(RUN) -m benchmarks $(ARGS)

# ---------------------------------------------------------------- making

notebooks: $(ALL)  ## make notebooks/*.ipynb from notebooks/src, execute what changed
	@$(RUN) -m tools.chapters
	@$(RUN) -m tools.notebooks $(CHAPTERS) $(ARGS)
	@$(RUN) -m tools.readme
	@$(RUN) -m tools.places
	@$(RUN) -m tools.teaching
	@echo "Made: notebooks/*.ipynb, README.md, docs/. git diff shows what changed."

site: $(ALL)  ## make the pages of the course, build/site, from the stored notebooks
	@$(RUN) -m tools.site $(ARGS)

publish: $(ALL)  ## REPO=owner/name TAG=v2.0.0: where notebooks may install from
	@$(RUN) -m tools.publish $(or $(REPO),--not) $(TAG)

pins: $(ALL)  ## requirements*.in -> requirements*.txt, with the newest versions
	@$(PIP) uv
	@for list in requirements requirements-test; do \
		echo "# Made from $$list.in by \`make pins\`: Python 3.11 to 3.13, all systems." \
			> .venv/pins && \
		$(RUN) -m uv pip compile -q --universal --python-version 3.11 --no-header \
			--upgrade $$list.in >> .venv/pins && \
		mv .venv/pins $$list.txt || exit 1; done
	@echo "requirements.txt and requirements-test.txt written: make clean, make test."

clean:  ## remove .venv and build/ (never work/)
	@rm -rf .venv build
	@echo "Removed .venv and build. Your notebooks in work/ are as they were."
