# Every target works as the first command on a fresh clone: it sets up what it needs. `make help` lists them.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules

# quick: the tables on phantoms, minutes on two cores. ci: the same path in its smallest form. small, paper: see README.md.
PROFILE ?= quick
# Nothing is downloaded at run time: GoMLX is not to fetch runtimes by itself.
export GOMLX_NO_AUTO_INSTALL := 1
export PYTHON

.PHONY: help
help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 20

.PHONY: setup
setup: python build ## .venv with Jupyter and ONNX Runtime, bin/rd

.PHONY: python
python:
	@tools/setup_python.sh $(if $(filter setup,$(MAKECMDGOALS)),--retry)

.PHONY: toolchain
toolchain:
	@tools/check_toolchain.sh

.PHONY: build
build: toolchain ## bin/rd
	go build -o bin/rd ./experiments/rd

.PHONY: reproduce
reproduce: setup ## the main job: compute and render the tables (PROFILE=quick, ci, small or paper; DATA=folder of real images)
	bin/rd reproduce --profile $(PROFILE) $(if $(DATA),--data "$(DATA)")

.PHONY: test
test: setup ## all tests
	go test -timeout 30m -json ./... | go run ./tools/testsummary

# NOTEBOOKS="01_quickstart.ipynb -p seed 2" executes one, with another parameter; UPDATE=--update rewrites their outputs.
.PHONY: notebooks
notebooks: setup kernel ## execute all notebooks without a reader, with HTML, to runs/notebooks/
	go build ./rdlib/... ./experiments/... ./figures/... ./notebooks/...
	. tools/notebook_env.sh; .venv/bin/python tools/notebooks.py $(UPDATE) $(NOTEBOOKS)

.PHONY: notebooks-test
notebooks-test: setup kernel ## test the notebooks: parameters, two executions, cells that are stopped, a machine that lacks something
	go build ./rdlib/... ./experiments/... ./figures/... ./notebooks/...
	. tools/notebook_env.sh; .venv/bin/python tools/notebooks_test.py

.PHONY: lab
lab: setup kernel ## JupyterLab with the notebooks' kernel
	go build ./rdlib/... ./experiments/... ./figures/... ./notebooks/...
	. tools/notebook_env.sh; .venv/bin/jupyter lab --notebook-dir notebooks $(LAB)

.PHONY: lab-test
lab-test: setup kernel ## drive JupyterLab in headless Chromium: the first notebook, all its cells
	go build ./rdlib/... ./experiments/... ./figures/... ./notebooks/...
	.venv/bin/python -c 'import playwright' 2>/dev/null || .venv/bin/python -I -m pip install --quiet playwright==1.65.2
	. tools/notebook_env.sh; .venv/bin/python tools/browser_test.py $(SCREENSHOT)

# GoNB and what it needs beside it, of the versions in go.mod. Cells are compiled in a workspace, offline: it reads the go.mod
# of every module, also of those that a build here leaves out.
.PHONY: kernel
kernel: toolchain
	go build -o bin/ tool
	go mod graph >/dev/null

.PHONY: kill-campaign
kill-campaign: setup ## kill two workers 30 times at random moments; their tables must be those of an undisturbed run
	RD_KILLS=30 go test ./experiments/rd -count 1 -run KillCampaign -v

.PHONY: golden
golden: setup ## tests against golden vectors (RD_GOLDEN_DIR=DIR: vectors from elsewhere)
	go test ./... -run Golden -v

.PHONY: fmt
fmt: toolchain ## fail when a file is not formatted
	@files="$$(find . \( -name .venv -o -name node_modules -o -name .git \) -prune -o -name '*.go' -print0 | xargs -0r gofmt -l)"; \
	if [ -n "$$files" ]; then printf 'not formatted (run gofmt -w):\n%s\n' "$$files"; exit 1; fi

.PHONY: vet
vet: toolchain ## go vet
	go vet ./...

.PHONY: doctor
doctor: build ## what this machine has, and the remedy for what is missing
	bin/rd doctor

.PHONY: bench
bench: setup ## step and inference times beside PyTorch's, waits of a step for its data, cache and loader throughput
	go run ./tools/benchstep
	go run ./tools/benchexport
	go run ./tools/benchloader
	go test -run '^$$' -bench . -benchmem ./rdlib/dataset/... ./rdlib/foundation/...

# On a GPU machine without Go, carry the clone with bin/rd and run tools/gpu_check.sh itself.
.PHONY: gpu-check
gpu-check: ## on a machine with a GPU: XLA CUDA found, step times at 224 pixels, GPU tests
	tools/gpu_check.sh

.PHONY: clean
clean: ## remove what set-up made: bin, .venv, .jupyter, node_modules
	rm -rf bin .venv .setup.lock node_modules .jupyter
