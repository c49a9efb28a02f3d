# `make demo` and `make test` set up everything they need in .venv, on a machine with Python 3.11 or newer.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

ORACLES ?= .oracles

.PHONY: demo app docs test test-faults fuzz locked lint oracles clean

demo: $(VENV)/.ready
	$(BIN)/spgnet demo

app: $(VENV)/.ready
	$(BIN)/spgnet app

# The documentation as a site, in the folder site; open site/index.html. It needs no server and no network.
docs: $(VENV)/.ready
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

# Two processes at once, of one thread each; each takes whole modules, which share what is slow to make.
TEST_PROCESSES ?= 2
test: $(VENV)/.ready
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(TEST_PROCESSES) --dist loadscope

# Every fault on every command: about an hour on one core (ARGUMENTS="--only train --count 10 --seed 3": a part).
test-faults: $(VENV)/.ready
	$(BIN)/python tests/faults/run.py --write $(ARGUMENTS)

# Half a million changed files on all readers; it goes on where it was stopped. FUZZ_INPUTS=5000 tries fewer.
FUZZ_INPUTS ?= 500000
fuzz: $(VENV)/.ready
	$(BIN)/python tests/fuzz/run.py --inputs $(FUZZ_INPUTS) --table docs/trust.md

lint: $(VENV)/.ready-to-develop
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

# The same packages file by file, each by its SHA-256: for Linux x86-64 and CPython 3.11.
locked: requirements-lock.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --no-deps --require-hashes --only-binary :all: --requirement requirements-lock.txt
	$(BIN)/pip install --constraint constraints.txt torch
	$(BIN)/pip install --no-deps --no-build-isolation --editable .
	touch $(VENV)/.ready $(VENV)/.ready-to-develop

$(VENV)/.ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --constraint constraints.txt torch
	$(BIN)/pip install --constraint constraints.txt --no-deps rtmlib
	$(BIN)/pip install --constraint constraints.txt --editable '.[test]'
	touch $@

$(VENV)/.ready-to-develop: $(VENV)/.ready
	$(BIN)/pip install --constraint constraints.txt --editable '.[dev]'
	touch $@

# Other programs, which tests/export/test_oracles.py asks what they make of exported files (2 GB). Pose2Sim's
# own dependencies are the detectors' too: those of its kinematics are enough.
oracles: $(ORACLES)/.ready

$(ORACLES)/.ready:
	$(PYTHON) -m venv $(ORACLES)/blender
	$(ORACLES)/blender/bin/pip install 'bpy==5.0.*'
	$(PYTHON) -m venv $(ORACLES)/opensim
	$(ORACLES)/opensim/bin/pip install opensim==4.6 c3d==0.6.0 anytree filterpy lxml matplotlib \
	  opencv-python-headless pandas pyyaml rtoml statsmodels tomli tqdm
	$(ORACLES)/opensim/bin/pip install --no-deps pose2sim==0.10.49
	npm install --prefix $(ORACLES) --silent gltf-validator@2.0.0-dev.3.10 three@0.187
	touch $@

clean:
	rm -rf $(VENV) $(ORACLES) demo site
