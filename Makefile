# `make demo` tries the program on a local lab; `make test` runs everything that proves it.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)

# Choices of `make demo`: CLUSTER_SHELL=crm|pcs, SUITE=bookworm|trixie, PLAIN=1 for the same job without the wizard.
CLUSTER_SHELL ?= crm
SUITE ?= bookworm
PLAIN ?=
LAB ?= demo

# Choice of `make reliability`: how often every test is run.
RUNS ?= 1

# What the lab needs (podman and its parts, a Debian builder), and what the tests need beside it.
LAB_PACKAGES := python3-venv podman netavark aardvark-dns runc crun conmon mmdebstrap iproute2 iptables nftables util-linux \
	openssh-client debian-archive-keyring ca-certificates
TEST_PACKAGES := $(LAB_PACKAGES) openssh-server putty-tools sudo procps tmux jq

.PHONY: help
help: ## what there is to make
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

.PHONY: demo
demo: lab-packages $(READY) ## the wizard on a local lab; without a terminal, or with PLAIN=1, the same job line by line
	@$(BIN)/iconha-tui lab up --name $(LAB) --suite $(SUITE)
	@spec=$$(mktemp); trap 'rm -f "$$spec"' EXIT; \
	$(BIN)/iconha-tui lab spec --name $(LAB) --shell $(CLUSTER_SHELL) >"$$spec"; \
	if [[ -z "$(PLAIN)" && -t 0 && -t 1 ]]; then $(BIN)/iconha-tui --spec "$$spec"; \
	else \
	  $(BIN)/iconha-tui run "$$spec" --yes; \
	  $(BIN)/iconha-tui lab ssh --name $(LAB) PRep-01 sudo $(CLUSTER_SHELL) status; \
	fi

.PHONY: demo-down
demo-down: $(READY) ## stop the demo's lab and remove all of it
	$(BIN)/iconha-tui lab down --name $(LAB)

.PHONY: test
test: test-packages $(READY) ## lint, types and every test, the lab's included
	$(BIN)/pytest -n 4 --dist loadgroup --no-loadscope-reorder --durations=20

.PHONY: lint
lint: $(READY) ## ruff, mypy, import-linter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

.PHONY: reliability
reliability: test-packages $(READY) ## every fault on the lab, thoroughly (an hour or two); prints the table, and writes docs/reliability.md
	$(BIN)/python tests/lab/reliability.py --runs $(RUNS)

.PHONY: bench
bench: test-packages $(READY) ## speed and memory, as bench/README.md has them
	$(BIN)/python bench/run.py

.PHONY: screenshots
screenshots: $(READY) ## docs/*.svg and the tests' snapshots anew, from the real app
	$(BIN)/python docs/screenshots.py
	$(BIN)/pytest -q tests/ui/test_snapshots.py --snapshot-update

.PHONY: lock
lock: $(READY) ## requirements.lock from pyproject.toml: hashes, no URLs
	$(BIN)/uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 --generate-hashes --upgrade \
		--no-emit-index-url --no-annotate --no-header -q -o requirements.lock

.PHONY: clean
clean: ## remove the virtual environment and caches
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis

.PHONY: lab-packages test-packages
lab-packages:
	@$(call install,$(LAB_PACKAGES))
test-packages:
	@$(call install,$(TEST_PACKAGES))

# Installs the Debian packages that are missing. A policy-rc.d is not touched: a machine's own sshd stays as it is.
define install
missing=(); for package in $(1); do \
  dpkg-query -W -f '$${db:Status-Abbrev}' $$package 2>/dev/null | grep -q '^.i' || missing+=($$package); done; \
if (($${#missing[@]})); then echo "Installing: $${missing[*]}"; \
  command -v apt-get >/dev/null || { echo "Install these first: $${missing[*]}" >&2; exit 3; }; \
  $(SUDO) apt-get -qq update; \
  $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install $${missing[*]} >/dev/null; fi
endef

# One locked environment serves the demo, the tests and the benches: what was tested is what runs.
$(READY): requirements.lock pyproject.toml
	python3 -m venv $(VENV)
	$(BIN)/pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --no-deps --no-build-isolation -e .
	touch $@
