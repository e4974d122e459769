#!/usr/bin/env bash
# Starts the notebooks' kernel: GoNB of this clone, wherever the clone lies, with the clone's packages in its reach. Jupyter
# gives the connection file.
set -euo pipefail
clone=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../../.." && pwd)
if [[ ! -x $clone/bin/gonb ]]; then
	echo "bin/gonb is missing: run make lab, or make notebooks, in $clone" >&2
	exit 1
fi
export PATH=$clone/bin:$PATH
export GOMLX_NO_AUTO_INSTALL=1 # nothing is downloaded at run time
export GOPROXY=off             # nor by the compiler
unset GOWORK                   # the kernel has a workspace of its own
if [[ " $(go env GOFLAGS) " == *" -mod="* ]]; then # with one the workspace would not be found
	export GOFLAGS=
fi
mkdir -p "$clone/.jupyter"
exec gonb --kernel "$1" -raw_error -logtostderr -go_work "$clone" 2>"$clone/.jupyter/kernel.log"
