# `make` lists the targets.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1)
TRIPLE := $(shell rustc -vV 2>/dev/null | sed -n 's/^host: //p')
IMAGE := apisix-prestop:$(VERSION)
FIXTURES_IMAGE := apisix-prestop-fixtures:$(VERSION)
CONTROLLER_IMAGE := apisix-ingress-controller:$(shell sed -n 's/^APISIX_INGRESS_CONTROLLER=//p' tests/cluster/versions)
IMAGES := target/images
RELEASE := target/$(TRIPLE)/release
# Those of both images, and of the load test. The demo and the benchmark of the audit add their own.
PROGRAMS ?= apisix-prestop fixtures bench-load
STEP := tests/checks/step
CHART := charts/apisix-prestop

# local: a Kubernetes of its own on this machine. existing: the cluster of KUBECONFIG, with all
# images loaded before.
CLUSTER ?= local
CLUSTER_COMMAND := tests/cluster/cluster
# The images that the tests use in either.
export E2E_IMAGE ?= $(IMAGE)
export E2E_FIXTURES_IMAGE ?= $(FIXTURES_IMAGE)
export E2E_CONTROLLER_IMAGE ?= $(CONTROLLER_IMAGE)

##@ The two commands

.PHONY: demo
demo: export PROGRAMS := $(PROGRAMS) demo
demo: $(if $(filter existing,$(CLUSTER)),programs) ## Roll Deployments with and without the webhook on a local Kubernetes, and count failed requests
	@CLUSTER_NAME=demo tests/e2e/in-cluster --keep $(RELEASE)/demo

PARTS := unit chart cluster e2e-meanwhile bench-short soak-short
# The cluster tests mostly wait. Cargo does one thing at a time in a folder: these have another one.
MEANWHILE := lint arm64 fuzz-short

.PHONY: test
test: ## Run every test
	@for part in $(PARTS); do $(STEP) --live "make $$part" $(MAKE) "$$part" || exit 1; done

.PHONY: e2e-meanwhile
e2e-meanwhile:
	@tests/checks/meanwhile "CARGO_TARGET_DIR=target/meanwhile $(MAKE) $(MEANWHILE)" $(MAKE) e2e

##@ Parts of `make test`

.PHONY: lint
lint: ## Check formatting, clippy, shell scripts and workflows
	@$(STEP) "formatting" cargo fmt --all --check
	@$(STEP) "clippy (compiles the dependencies the first time)" cargo clippy --workspace --all-targets --locked -- -D warnings
	@$(STEP) "shell scripts" tests/checks/shell
	@$(STEP) "workflows (builds actionlint the first time)" tests/checks/workflows

.PHONY: arm64
arm64: ## Check that the program compiles for arm64
	tests/checks/arm64

.PHONY: unit
unit: test-programs ## Run the tests that need no cluster
	cargo test --locked
	tests/checks/release target/debug/apisix-prestop

# All test programs in one call: with fewer packages, cargo may choose other features, and compile
# the dependencies again.
.PHONY: test-programs
test-programs:
	@$(STEP) "test programs (compiles the dependencies the first time)" cargo test --locked --no-run

.PHONY: chart
chart: ## Check the chart: lint, unit tests, schemas of four Kubernetes versions, alerts
	tests/checks/chart

.PHONY: cluster
cluster: ## Test the test cluster
	@$(STEP) "go vet" go -C tests/cluster vet ./...
	go -C tests/cluster test ./...
	tests/cluster/self-test

.PHONY: e2e
e2e: test-programs ## Run the tests on a cluster; CLUSTER=existing uses the one of your KUBECONFIG
	@tests/e2e/in-cluster tests/e2e/run

##@ Speed and fuzzing

BENCH_LOAD := $(RELEASE)/bench-load
FUZZ_SECONDS ?= 100

.PHONY: bench
bench: programs ## Send load over TLS on loopback, beside a server that does nothing, and under attack (5 minutes)
	$(BENCH_LOAD) run
	$(BENCH_LOAD) attack

.PHONY: bench-short
bench-short: programs ## Do the same briefly, to see that it works
	$(BENCH_LOAD) run --short
	$(BENCH_LOAD) attack --seconds 2

.PHONY: bench-upstreams
bench-upstreams: ## Measure what it costs to know the upstreams of a large cluster
	cargo bench --locked --bench upstreams

.PHONY: bench-audit
bench-audit: export PROGRAMS := $(PROGRAMS) bench-audit
bench-audit: ## Measure what an audit of a large cluster costs
	@BENCH_PROGRAM=$(RELEASE)/apisix-prestop tests/e2e/in-cluster $(RELEASE)/bench-audit

.PHONY: soak
soak: programs ## Send 200 reviews a second for 10 minutes: none may fail, memory must not grow
	$(BENCH_LOAD) soak

.PHONY: soak-short
soak-short: programs ## Do the same for 60 seconds
	$(BENCH_LOAD) soak --seconds 60

.PHONY: fuzz
fuzz: ## Fuzz each target for FUZZ_SECONDS (100, in all 10 minutes)
	fuzz/run $(FUZZ_SECONDS)

.PHONY: fuzz-short
fuzz-short: ## Do the same, 4 seconds each
	fuzz/run 4

##@ The demo

.PHONY: demo-down
demo-down: ## Stop the demo's cluster
	@CLUSTER_NAME=demo $(CLUSTER_COMMAND) down

##@ Images

# The image contains only the static binary. crt-static needs --target: otherwise it applies to
# build scripts too.
# Packed relocations save 5 % of the size; glibc reads them in a static binary since 2.36.
PACKED := $(shell getconf GNU_LIBC_VERSION 2>/dev/null | awk '$$2 >= 2.36 {print "-C link-arg=-Wl,-z,pack-relative-relocs"}')
define static
RUSTFLAGS="-C target-feature=+crt-static $(PACKED)" cargo build --locked --release --target $(TRIPLE)
endef

.PHONY: rootfs
rootfs: ## Build the static binary of the image, in target/rootfs
	@$(STEP) "static binary" env $(static) --package apisix-prestop --bins
	@install -D $(RELEASE)/apisix-prestop target/rootfs/apisix-prestop

.PHONY: fixtures-rootfs
fixtures-rootfs: ## Build the static binary of the fixtures' image
	@$(STEP) "static binary of the fixtures" env $(static) --package apisix-prestop-fixtures --bins
	@install -D $(RELEASE)/fixtures target/rootfs-fixtures/fixtures

# In one call: they share what they depend on.
.PHONY: programs
programs:
	@$(STEP) "static programs (compiles the dependencies the first time)" env $(static) $(PROGRAMS:%=--bin %)
	@install -D $(RELEASE)/apisix-prestop target/rootfs/apisix-prestop
	@install -D $(RELEASE)/fixtures target/rootfs-fixtures/fixtures

.PHONY: images
images: programs ## Build the images as files for `docker load`, without Docker
	@mkdir -p $(IMAGES)
	@$(CLUSTER_COMMAND) build-image -f Dockerfile -t $(IMAGE) -s build:/src=. -o $(IMAGES)/apisix-prestop.tar
	@$(CLUSTER_COMMAND) build-image -f tests/fixtures/Dockerfile -t $(FIXTURES_IMAGE) -s build:/src=. -o $(IMAGES)/fixtures.tar
	@$(CLUSTER_COMMAND) build-image -f tests/cluster/apisix-ingress-controller/Dockerfile -t $(CONTROLLER_IMAGE) -o $(IMAGES)/apisix-ingress-controller.tar

##@ Upkeep

.PHONY: docs
docs: ## Generate docs/cli.md and the README of the chart
	UPDATE_DOCS=1 cargo test --quiet --test it docs
	$(CLUSTER_COMMAND) build
	eval "$$($(CLUSTER_COMMAND) env)" && helm-docs --chart-search-root charts --log-level warning

.PHONY: manifests
manifests: ## Generate the plain manifests from the chart
	$(CLUSTER_COMMAND) build
	eval "$$($(CLUSTER_COMMAND) env)" && manifests/generate

.PHONY: deny
deny: ## Check licences and advisories of the dependencies (needs cargo-deny and the internet)
	cargo deny check

.PHONY: help
help:
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z0-9-]+:.*## / {printf "  %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
