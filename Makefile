# Two commands do the job on a fresh machine: `make lab` and `make test`.
PYTHON ?= python3
export PYTHON
BIN := .venv/bin
SCENARIO ?= handover

.PHONY: lab test setup check lint bench bpf fuzz install clean

lab: ## the main job: the lab, end to end, with real packets (needs root)
	@if [ "$$(id -u)" != 0 ]; then \
	    echo "make lab builds network namespaces and needs root: sudo make lab"; \
	    echo "Without root, the same protocol on a simulated network:"; \
	    echo "    make setup && $(BIN)/mip6 sim handover"; exit 1; fi
	@scripts/setup lab
	@$(BIN)/mip6 lab run $(SCENARIO)

test: ## every test (those that need root skip without it, and say so)
	@scripts/setup test
	$(BIN)/python -m pytest $(PYTEST_ARGS)
	@scripts/second-kernel $(PYTEST_ARGS)

setup: ## virtual environment and system packages; safe to repeat
	@scripts/setup test

lint:
	$(BIN)/ruff format --check src tests bench
	$(BIN)/ruff check src tests bench
	$(BIN)/mypy

check: setup lint ## format, lint, types and the tests that need no root
	$(BIN)/python -m pytest -q -m "not root and not slow" $(PYTEST_ARGS)

bench: setup ## measure; writes docs/figures.md
	$(BIN)/python -m bench

bpf: setup ## rebuild the shipped eBPF object from bpf/mip6.bpf.c
	$(MAKE) -B -C bpf ZIG="../$(BIN)/python -m ziglang"

clean:
	rm -rf .venv build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
