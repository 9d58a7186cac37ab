# make demo    a small labelled dataset in out/demo, from nothing but Python 3.11
# make demo-refine   defects painted by the embedded diffusion model, on a CPU and offline
# make test    lint, types and all tests that need no GPU
# make bench   the measurements behind the README's numbers
# make lint    ruff and mypy only
# make lock    new versions into constraints.txt
# make clean   caches and build outputs; datasets in out/ stay, except the demos

VENV := .venv
BIN := $(VENV)/bin
PY := $(BIN)/python
PIP := $(PY) -m pip --disable-pip-version-check
INSTALLED := $(VENV)/.installed
TORCH := $(VENV)/.torch

PARTS := out/demo-parts
PAINTED := out/demo-refine

.PHONY: demo demo-refine test bench lint lock clean install check
.DEFAULT_GOAL := demo

demo: check
	$(BIN)/scenewright generate hardware --count 12 --out out/demo --size 640x480 --preset fast
	$(BIN)/scenewright show out/demo
	$(BIN)/scenewright validate out/demo
	@echo "Pictures: out/demo/images   COCO: out/demo/annotations"

# Sound parts seen from near by, then the same with a defect on each. Whoever has the parts keeps them.
demo-refine: check $(TORCH)
	$(BIN)/scenewright generate inspection --count 6 --out $(PARTS) --size 400x300 --preset fast --set defects=null
	$(BIN)/scenewright defects $(PARTS) --inpaint --rate 1 --workers 2 --out $(PAINTED)
	$(BIN)/scenewright validate $(PAINTED)
	$(PY) tests/benchmarks/gallery_variants.py $(PAINTED) --out $(PAINTED)/contact.png
	@echo "Pictures: $(PAINTED)/images   sound: $(PAINTED)/twins/images   sheet: $(PAINTED)/contact.png"

test: lint check $(TORCH)
	$(PY) -m pytest -m "not slow and not gpu" -n 2 --dist loadfile

# A script that misses a limit ends with 1: the others run all the same, and the end says which it were.
bench: check $(TORCH)
	@rm -rf out/exact; failed=; run() { echo "== $$*"; "$$@" || failed="$$failed; $$*"; }; \
	for script in bench_cost bench_labels bench_coco bench_physics check_determinism check_memory \
	    bench_defect_cost bench_severity check_defects; do \
	  run $(PY) tests/benchmarks/$$script.py; \
	done; \
	run $(PY) tests/benchmarks/bench_quality.py --images 4; \
	run $(PY) tests/benchmarks/check_gate.py --renders out/gate; \
	run $(PY) tests/benchmarks/bench_refine.py --renders out/refine; \
	for part in "hardware 30" "tabletop 20" "bin 12" "shelf 12" "conveyor 12" "pegboard 14"; do \
	  folder=out/exact/$${part% *}; \
	  run $(BIN)/scenewright generate $${part% *} --count $${part#* } --size 320x240 --preset draft --out $$folder; \
	  run $(PY) tests/benchmarks/check_exact.py $$folder --alone 8; \
	done; \
	test -z "$$failed" || { echo "beyond a limit, or broken$$failed" >&2; exit 1; }

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy -p scenewright

# Says which system libraries are missing, with the command that installs them.
check: install
	@$(PY) -m scenewright.render.doctor

install: $(INSTALLED)

$(INSTALLED): pyproject.toml constraints.txt | $(PY)
	$(PIP) install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

# Only the diffusion stage, the training loader and the farm's executors, and their tests, need torch, Ray and what builds on them.
$(TORCH): $(INSTALLED)
	$(PIP) install --quiet torch==2.13.0
	$(PIP) install --quiet --constraint constraints.txt --editable '.[diffusion,farm]'
	@touch $@

$(PY):
	@for python in python3.11 python3; do \
	  if $$python -c 'import ensurepip, sys, venv; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null; then \
	    echo "creating $(VENV) with $$(command -v $$python)"; exec $$python -m venv $(VENV); \
	  fi; \
	done; \
	printf '%s\n' \
	  'Blender 4.5 needs Python 3.11 with its venv module, and neither python3.11 nor python3 is that. Install it with one of' \
	  '  Debian 12       sudo apt-get install -y python3.11 python3.11-venv' \
	  '  Fedora          sudo dnf install -y python3.11' \
	  '  macOS           brew install python@3.11' \
	  '  any, with uv    uv venv --python 3.11 --seed $(VENV)' \
	  'and run make again.' >&2; \
	exit 1

# Resolved in an environment of its own, so that nothing which happens to be in .venv is locked too.
lock: | $(PY)
	@set -e; folder=$$(mktemp -d); trap 'rm -rf "$$folder"' EXIT; \
	$(PY) -m venv "$$folder/venv"; \
	"$$folder/venv/bin/pip" install --quiet --disable-pip-version-check --editable '.[dev,farm,diffusion]'; \
	{ echo '# Exact versions of everything that `make` installs, torch excepted. Made by: make lock'; \
	  "$$folder/venv/bin/pip" freeze --exclude-editable | grep -vE '^(torch|triton|nvidia|cuda)'; } \
	  > "$$folder/constraints.txt"; \
	cp "$$folder/constraints.txt" constraints.txt

clean:
	rm -rf build dist out/demo $(PARTS) $(PAINTED) *.egg-info .mypy_cache .ruff_cache .pytest_cache
	find . -path './$(VENV)' -prune -o -type d -name __pycache__ -prune -exec rm -rf {} +
