#!/usr/bin/env bash
# Gives the project its ONNX Runtime library and Jupyter: a .venv from requirements.txt, or, where Python cannot
# provide the library, the npm package onnxruntime-node. Does nothing when the last run is still valid; a run that was
# interrupted leaves no stamp and is done again. Nothing outside the project's folder is touched.
#
#   PYTHON=/path/to/python3.12 tools/setup_python.sh     # choose the interpreter
#   tools/setup_python.sh --retry                        # try the .venv again where it failed last time
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

node_package=onnxruntime-node@1.30.0
venv=.venv
stamp=$venv/.setup
failed=$venv/.failed
retry=${1:-}
trap 'exit 130' INT TERM # an interruption is no failure of pip's: leave no stamp
PATH=${PATH//"$PWD/$venv/bin:"/} # an activated .venv must not be made from itself

say() { printf 'setup: %s\n' "$*" >&2; }

# usable PYTHON: 3.10 or newer, able to make virtual environments.
usable() {
	"$1" -I -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 10))' >/dev/null 2>&1
}

# Prints the interpreter to use, or nothing. 3.11 and newer come first: their onnxruntime wheels are recent enough.
choose_python() {
	local candidate
	for candidate in ${PYTHON:+"$PYTHON"} python3.11 python3.12 python3.13 python3 python3.10; do
		if command -v "$candidate" >/dev/null && usable "$candidate"; then
			command -v "$candidate"
			return
		fi
	done
}

# What a finished set-up depends on: the pins, and the place (a .venv cannot be moved).
fingerprint() {
	printf 'place %s\nnode %s\n' "$PWD" "$node_package"
	cat tools/requirements.txt tools/constraints.txt
}

wheel_library() {
	compgen -G "$venv/lib/python*/site-packages/onnxruntime/capi/libonnxruntime*" >/dev/null
}

node_library() {
	compgen -G "node_modules/onnxruntime-node/bin/napi-v*/*/*/libonnxruntime*" >/dev/null
}

# A set-up whose Python part failed stands too, until another interpreter turns up or --retry asks for another try.
finished() {
	[[ -f $stamp ]] && [[ "$(<"$stamp")" == "$(fingerprint)" ]] || return 1
	if [[ -f $failed ]]; then
		[[ -z $retry && "$(<"$failed")" == "$(choose_python)" ]] || return 1
	else
		"$venv/bin/python" -I -c '' 2>/dev/null || return 1
	fi
	wheel_library || node_library || [[ -n ${ONNXRUNTIME_SHARED_LIBRARY_PATH:-} ]]
}

pip_install() {
	"$venv/bin/python" -I -m pip install --quiet --no-input --disable-pip-version-check --requirement tools/requirements.txt "$@"
}

install_venv() {
	say "making .venv with $("$python" --version 2>&1) ($python)"
	"$python" -I -m venv --clear "$venv" || return
	pip_install --constraint tools/constraints.txt && return
	say "tools/constraints.txt cannot be met here: trying again with what pip chooses below the pinned requirements"
	pip_install
}

install_node_library() {
	if ! command -v npm >/dev/null; then
		say "npm is not installed either (Debian: apt-get install npm)"
		return 1
	fi
	say "taking the ONNX Runtime library from the npm package $node_package"
	npm install --prefix . --no-save --no-package-lock --ignore-scripts --no-audit --no-fund --loglevel=error \
		"$node_package" >&2
	node_library
}

if finished; then
	exit 0
fi

# One set-up at a time: a second one waits, then finds the first one's stamp.
if command -v flock >/dev/null; then
	exec 9>.setup.lock
	flock 9
	if finished; then
		exit 0
	fi
fi

rm -f "$stamp"
python=$(choose_python)
python_missing() {
	rm -rf "$venv"
	mkdir "$venv"
	printf '%s\n' "$python" >"$failed"
	say "notebooks will not run: $1"
	say "remedy: $2"
}
if [[ -z $python ]]; then
	python_missing "no Python 3.10 or newer with the venv module" \
		"apt-get install python3 python3-venv, then make setup"
elif ! install_venv; then
	python_missing "the .venv could not be completed (the message is above)" \
		"make setup     (another interpreter: make setup PYTHON=/path/to/python3.12)"
fi

if ! wheel_library && ! node_library && ! install_node_library; then
	if [[ -z ${ONNXRUNTIME_SHARED_LIBRARY_PATH:-} ]]; then
		say "no ONNX Runtime library could be installed, from pip or from npm"
		say "remedy: set ONNXRUNTIME_SHARED_LIBRARY_PATH to a libonnxruntime 1.26 or newer, or make one of the two registries reachable"
		exit 1
	fi
	say "using ONNXRUNTIME_SHARED_LIBRARY_PATH=$ONNXRUNTIME_SHARED_LIBRARY_PATH"
fi
fingerprint >"$stamp"
