#!/usr/bin/env bash
# What is measured on a machine with an NVIDIA GPU, written to results/gpu/: what rd finds there, the seconds of training
# steps at 224 pixels on XLA CUDA, and whether training there follows the CPU's loss curve. Needs bin/rd and a PJRT CUDA
# plugin (the one in the machine's JAX will do); with a Go toolchain it builds bin/rd and runs the GPU tests too. To use a
# machine without Go, carry the clone there with its bin/rd and its ONNX Runtime library (.venv or node_modules), and run
#
#   tools/gpu_check.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export GOMLX_NO_AUTO_INSTALL=1

students=(resnet18 shufflenet mobilenet)
size=224
batch=32
steps=20
out=results/gpu
work=runs/gpu-check

if command -v go >/dev/null; then
	make setup
elif [[ ! -x bin/rd ]]; then
	echo "gpu-check: neither Go nor bin/rd is here: run make build on a machine of this kind ($(uname -sm)) and carry bin/rd along" >&2
	exit 1
fi

bin/rd doctor
report=$(bin/rd doctor --json)
if ! tr -d ' \n' <<<"$report" | grep -q '"name":"xla:cuda","available":true'; then
	echo "gpu-check: rd finds no XLA CUDA backend here, so nothing is measured: see the remedy above" >&2
	exit 1
fi
mkdir -p "$out" "$work"
printf '%s\n' "$report" >"$out/doctor.json"

for student in "${students[@]}"; do
	for method in scratch rd; do
		bin/rd bench step --backend xla:cuda --student "$student" --method "$method" \
			--size $size --batch $batch --steps $steps --json | tee "$out/step-$student-$method-$size.json"
	done
done

# The same short training on both, from the same seed: one curve has to follow the other.
bin/rd phantom --out "$work/phantom" --size 64 --per-class 40 --seed 1
for backend in xla:cuda onnx; do
	rm -rf "${work:?}/$backend"
	bin/rd distill --backend "$backend" --data "$work/phantom" --student resnet18 --method scratch --size 64 \
		--epochs 4 --seed 1 --out "$work/$backend"
	cp "$work/$backend/record.json" "$out/curve-${backend//:/-}.json"
done
python3 tools/compare_curves.py "$out/curve-onnx.json" "$out/curve-xla-cuda.json"

if command -v go >/dev/null; then
	RD_GPU=1 go test ./... -run GPU -v
fi
echo "gpu-check: done, records in $out"
