#!/usr/bin/env bash
# Says what is missing to build the project, and how to get it: a Go toolchain as new as go.mod asks for, a C compiler.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

fail() {
	printf 'setup: %s\n' "$@" >&2
	exit 1
}

needed=$(sed -n 's/^go //p' go.mod)
command -v go >/dev/null ||
	fail "Go is not installed: get Go $needed or newer from https://go.dev/dl and put its bin folder on PATH"
if ! refusal=$(go list -m 2>&1); then
	fail "$refusal" "Go $needed or newer is needed: https://go.dev/dl"
fi
[[ "$(go env CGO_ENABLED)" == 1 ]] ||
	fail "CGO_ENABLED=0: the ONNX Runtime binding needs cgo; unset CGO_ENABLED, and install a C compiler (Debian: apt-get install gcc libc6-dev)"
read -r compiler _ <<<"$(go env CC)"
command -v "$compiler" >/dev/null ||
	fail "no C compiler ($compiler): Debian: apt-get install gcc libc6-dev"
