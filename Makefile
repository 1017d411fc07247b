# The commands of this checkout. `make help` lists them; CONTRIBUTING.md says when to use which.
SHELL := /bin/sh
.SHELLFLAGS := -euc
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

NODE := $(CURDIR)/node_modules/node-linux-$(if $(filter aarch64,$(shell uname -m)),arm64,x64)/bin/node
export PATH := $(dir $(NODE)):$(CURDIR)/node_modules/.bin:$(PATH)
JEST := $(NODE) --experimental-vm-modules --disable-warning=ExperimentalWarning node_modules/jest/bin/jest.js

.PHONY: unit
unit: ## unit tests only; narrow them with ARGS=test/unit/kube
	$(JEST) --selectProjects unit -- $(ARGS)
