#!/usr/bin/env bash
# Runs every command block of the README (fenced as sh), block by block and in its order, from the clone's top folder, and
# stops at the first that fails. Lines given as arguments are passed over: what the caller has run already.
#
#   PROFILE=ci tools/readme_check.sh "make test"
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

blocks=$(mktemp -d)
trap 'rm -rf "$blocks"' EXIT
awk -v folder="$blocks" '
	/^```sh$/ { inside = 1; file = sprintf("%s/%02d.sh", folder, ++count); next }
	/^```$/   { inside = 0 }
	inside    { print > file }
' README.md

for block in "$blocks"/*.sh; do
	for done in "$@"; do
		grep -vxF -- "$done" "$block" >"$block.left" || true
		mv "$block.left" "$block"
	done
	if [[ -s $block ]]; then
		sed 's/^/README> /' "$block"
		bash -euo pipefail "$block" </dev/null
	fi
done
echo "README: every command block ran"
