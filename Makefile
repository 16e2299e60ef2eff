# Two commands do the job on a fresh machine: `make lab` and `make test`.
PYTHON ?= python3
export PYTHON
BIN := .venv/bin
SCENARIO ?= handover

SECONDS ?= 60
JOBS ?= $(shell nproc)
PREFIX ?= /usr/local
export PREFIX DESTDIR

.PHONY: lab test setup check lint coverage bench bpf fuzz mutation install uninstall clean

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
	$(BIN)/ruff format --check src tests bench fuzz
	$(BIN)/ruff check src tests bench fuzz
	$(BIN)/mypy

check: setup lint ## format, lint, types and the tests that need no root
	$(BIN)/python -m pytest -q -m "not root and not slow" $(PYTEST_ARGS)

coverage: ## every branch of wire and core is taken by a direct test, none by chance
	$(BIN)/python -m pytest -q -m "not root and not hypothesis" --cov --cov-fail-under=100 \
	    --cov-report=term-missing:skip-covered tests/wire tests/core tests/conformance tests/interop

fuzz: ## SECONDS of each target, or of TARGET, JOBS at once; root for the eBPF programs
	@scripts/setup fuzz
	$(BIN)/python -m fuzz --seconds $(SECONDS) --jobs $(JOBS) $(TARGET)

mutation: setup ## changes of the core that no test notices; an hour
	nice -n 19 $(BIN)/python -m tests.mutation

bench: setup ## measure; writes docs/figures.md
	$(BIN)/python -m bench

bpf: setup ## rebuild the shipped eBPF object from bpf/mip6.bpf.c
	$(MAKE) -B -C bpf ZIG="../$(BIN)/python -m ziglang"

install: ## mip6 for this machine, below PREFIX, and its systemd unit (root); DESTDIR is honoured
	@scripts/install

uninstall: ## take that away again; configuration, keys and state stay
	@scripts/install --remove

clean:
	rm -rf .venv .fuzz build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
