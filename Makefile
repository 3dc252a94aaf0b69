# Everything from a fresh checkout: `make demo` and `make test` do all the set-up themselves, in .venv/.
#
#   make setup       the environment alone            make extension   the extension's zips, in dist/
#   make demo        a duet, from dance to video      make train       the models again, from the corpus
#   make test        the tests, in Blender 4.5        make matrix      the extension's tests in Blender 4.2 and 5.2
#   make test-long   whole trainings and sweeps
#   make check       lint, types, walls, links        make benchmark   speed, beside a rival in the same run
#   make pictures    the pictures in docs/pictures
#   make window      the zip in a real Blender window, driven by clicks (root; 2 GB the first time)
#   make fuzz        every reader, for ten minutes (FUZZ_SECONDS), with damaged files
#   make benchmark-long   ten minutes of dance: does the last one hold what the first promises?

PYTHON ?= $(shell for p in python3.11 python3; do \
	$$p -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null && echo $$p && break; done)
PYTHON313 ?= $(shell for p in python3.13 $${PYENV_ROOT:-$$HOME/.pyenv}/versions/3.13*/bin/python3.13; do \
	$$p -c '' 2>/dev/null && echo $$p && break; done)
DATA ?= $(or $(PASDEDEUX_DATA),../shared/data)

VENV := .venv
BIN := $(VENV)/bin
PIP := -m pip install --quiet --disable-pip-version-check --constraint .constraints.txt
DEBIAN := libegl1 libgl1 libgl1-mesa-dri libgomp1 libice6 libsm6 libx11-6 libxfixes3 libxi6 libxkbcommon0 libxrender1 libxxf86vm1

.PHONY: setup demo test test-long fuzz matrix check extension extension-for-this-platform pictures benchmark benchmark-long train window

setup: $(VENV)/ready

$(VENV)/ready: pyproject.toml .constraints.txt | $(VENV)/debian
	@test -n "$(PYTHON)" || { echo "Python 3.11 is missing: apt-get install python3.11 python3.11-venv" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python $(PIP) --editable ".[training,blender,dev]"
	@touch $@

# Blender draws without a screen through Mesa.
$(VENV)/debian:
	@missing=$$(for p in $(DEBIAN); do dpkg-query -W -f='$${Status}' $$p 2>/dev/null | grep -q 'ok installed' || echo $$p; done); \
	if [ -n "$$missing" ]; then \
		install="apt-get install --yes --no-install-recommends $$(echo $$missing)"; \
		if [ "$$(id -u)" != 0 ]; then echo "Some Debian packages are missing: sudo $$install" >&2; exit 2; fi; \
		apt-get update --quiet && $$install; \
	fi
	@mkdir -p $(VENV) && touch $@

extension: $(VENV)/ready
	$(BIN)/python blender_addon/build.py

extension-for-this-platform: $(VENV)/ready
	$(BIN)/python blender_addon/build.py this

demo: extension-for-this-platform
	$(BIN)/pasdedeux demo

# Blender's tests run apart: they test what the zip installs, not the checkout that the others import.
test: extension-for-this-platform
	$(BIN)/python -m pytest -m "not long"
	$(BIN)/python -m pytest tests/blender

test-long: $(VENV)/ready
	$(BIN)/python -m pytest -m long tests/training

# Damaged files in every reader; FUZZ_SECONDS, FUZZ_JOBS and FUZZ_SEED as tests/fuzz/run.py says.
fuzz: $(VENV)/ready
	OMP_NUM_THREADS=1 PASDEDEUX_DATA=$(DATA) $(BIN)/python -m tests.fuzz.run

check: $(VENV)/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest --quiet tests/test_docs.py

matrix: extension-for-this-platform $(VENV)/blender-4.2/ready $(VENV)/blender-5.2/ready
	$(VENV)/blender-4.2/bin/python -m pytest tests/blender
	$(VENV)/blender-5.2/bin/python -m pytest tests/blender

$(VENV)/blender-4.2/ready: .constraints.txt | $(VENV)/ready
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python $(PIP) bpy==4.2.23 pytest pytest-timeout
	@touch $@

$(VENV)/blender-5.2/ready: .constraints.txt | $(VENV)/ready
	@test -n "$(PYTHON313)" || { echo "Python 3.13 is missing, which Blender 5.2 needs; set PYTHON313" >&2; exit 2; }
	$(PYTHON313) -m venv $(@D)
	$(@D)/bin/python $(PIP) bpy==5.2.3 pytest pytest-timeout
	@touch $@

# The evaluation's picture takes half an hour: pasdedeux evaluate --plot docs/pictures/evaluation.png
# panel.png and takes.png are cut from 05-partner.png and 06-take-1.png in runs/window, which make window takes.
pictures: demo
	mkdir -p runs/pictures
	$(BIN)/python docs/pictures/film_strip.py demo/duet.mp4 docs/pictures/duet.png --frames 60 150 240 330
	$(BIN)/pasdedeux dance $(DATA)/midi/pop909/046/046.mid --out runs/pictures/dance.bvh --duet --bars 33-48
	$(BIN)/pasdedeux render runs/pictures/dance-leader.bvh runs/pictures/dance-partner.bvh --out runs/pictures/dance.mp4
	$(BIN)/python docs/pictures/film_strip.py runs/pictures/dance.mp4 docs/pictures/dance.png --frames 20 60 100 140 180 220
	$(BIN)/pasdedeux compose $(DATA)/salsa/salsa_07_leader.bvh --out runs/pictures/composed.mid
	$(BIN)/python -m training.experiment.plots runs/pictures/composed.mid docs/pictures/composed.png
	$(BIN)/python -m tests.benchmarks.rigs_picture
	$(BIN)/python -m tests.benchmarks.preview_picture runs/pictures/preview.mp4 60
	$(BIN)/python docs/pictures/film_strip.py runs/pictures/preview.mp4 docs/pictures/preview.png --frames 55

# Blender 5.2 and an X server in a Debian of their own; pictures and report.json in runs/window.
WINDOW_ROOT ?= $(VENV)/window
window: extension-for-this-platform
	$(BIN)/python -m tests.window.run --root $(WINDOW_ROOT)

benchmark: extension-for-this-platform
	$(BIN)/python -m tests.benchmarks.bvh_loading
	$(BIN)/python -m tests.benchmarks.exchange_accuracy
	$(BIN)/python -m tests.benchmarks.partner_request
	$(BIN)/python -m tests.benchmarks.onnx_torch
	$(BIN)/python -m tests.benchmarks.partner_speed
	$(BIN)/python -m tests.benchmarks.song_speed
	$(BIN)/python -m tests.benchmarks.retarget
	$(BIN)/python tests/benchmarks/long_job.py

# Minutes of dancing: not what one waits for beside the others.
benchmark-long: $(VENV)/ready
	$(BIN)/python -m tests.benchmarks.long_dance

# No dance at hand was recorded with its music: dances and MIDI files are paired first.
runs/pairs: | $(VENV)/ready
	$(BIN)/python training/pairs.py --dances $(DATA)/salsa $(DATA)/cmu_solo --midi $(DATA)/midi --out $@ --each 5

train: $(VENV)/ready runs/pairs
	$(BIN)/python training/train.py duet-vae --data $(DATA)/salsa --out runs/duet-vae
	$(BIN)/python training/train.py partner-flow --data $(DATA)/salsa --out runs/partner-flow
	$(BIN)/python training/train.py dance-flow --data runs/pairs --out runs/dance-flow \
		--from runs/partner-flow/partner-flow.safetensors
	$(BIN)/python training/train.py score-flow --data runs/pairs --music $(DATA)/midi --out runs/score-flow
	$(BIN)/python training/train.py choreo-bridge --data runs/pairs --out runs/choreo-bridge
