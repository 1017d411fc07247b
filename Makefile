# The commands of this checkout. CONTRIBUTING.md says when to use which.
SHELL := /bin/sh
.SHELLFLAGS := -euc
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory --no-builtin-rules
.SUFFIXES:

PREFIX ?= /usr/local

NODE := node_modules/node-linux-$(if $(filter aarch64,$(shell uname -m)),arm64,x64)/bin/node
BIN := node_modules/.bin
# The tools are scripts that ask the PATH for `node`: the host's own may be too old, or absent.
export PATH := $(CURDIR)/$(dir $(NODE)):$(PATH)

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

.PHONY: setup
setup: ## Debian packages, Node 24, npm packages, compiled add-ons: what building needs
	@sh scripts/setup.sh build

.PHONY: setup-test
setup-test: ## the same, and what the tests need (a registry, debootstrap, Podman, …)
	@sh scripts/setup.sh test

SOURCES := $(shell find src templates -type f) package.json package-lock.json scripts/build.ts bin/tspod

.PHONY: build
build: setup ## bundle into dist/, if anything changed
	@$(MAKE) -s dist/tspod.cjs

dist/tspod.cjs: $(SOURCES)
	@$(NODE) scripts/build.ts

.PHONY: play
play: build ## run examples/manifests/01-hello.yaml and ask it for its page
	@$(NODE) scripts/play.ts examples/manifests/01-hello.yaml

.PHONY: down
down: build ## remove what `make play` left running
	@bin/tspod kube down examples/manifests/01-hello.yaml

.PHONY: check
check: setup-test build ## types, lint, unused code, unit and golden tests: before every commit
	@$(NODE) scripts/check.ts

.PHONY: format
format: setup ## let biome format and sort what it can
	@$(BIN)/biome check --write .

.PHONY: unit
unit: setup build ## unit tests only; narrow them with ARGS=test/unit/kube
	@$(NODE) --experimental-vm-modules --disable-warning=ExperimentalWarning node_modules/jest/bin/jest.js \
	  --selectProjects unit -- $(ARGS)

.PHONY: test
test: setup-test build ## every test but fault injection; the last line sums up
	@$(NODE) scripts/test.ts unit golden integration system

.PHONY: fault
fault: setup-test build ## fault injection: slow; SAMPLES=500 for a night, TSPOD_TEST_SEED=N to repeat
	@$(NODE) scripts/test.ts fault

.PHONY: sim
sim: setup ## random histories of the engine in virtual time; RUNS=20000 SEED=1, one run of a seed prints its trace
	@$(NODE) --disable-warning=ExperimentalWarning test/sim/run.ts $(or $(RUNS),$(if $(SEED),1,20000)) $(SEED)

.PHONY: leak
leak: setup-test build ## play and down a pod RUNS times (1000): what grows? Half an hour and more
	@$(NODE) --disable-warning=ExperimentalWarning test/fault/leak.ts

.PHONY: scale
scale: setup-test build ## many plays at once, 250 pods on one machine
	@$(NODE) --disable-warning=ExperimentalWarning test/fault/scale.ts

.PHONY: bench
bench: setup-test build ## compare with Podman and with the bare floor
	@$(NODE) test/bench/bench.ts

.PHONY: bench-apply
bench-apply: setup-test build ## what apply and GitOps cost: nothing changed, one of a hundred, a commit
	@$(NODE) test/bench/apply.ts

.PHONY: install
install: build ## below PREFIX (default /usr/local)
	@sh scripts/install.sh install "$(PREFIX)"

.PHONY: uninstall
uninstall: ## remove what install put below PREFIX
	@sh scripts/install.sh uninstall "$(PREFIX)"

.PHONY: clean
clean: ## remove dist/; node_modules stays
	@rm -rf dist dist.*
