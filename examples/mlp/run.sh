#!/bin/sh
# Compiles the two-moons network to C, builds the program and runs it.
#
#     ./examples/mlp/run.sh            (NNCC=/path/to/nncc uses one that is built already)
set -eu
cd -- "$(dirname -- "$0")/../.."
. examples/setup.sh
build_nncc
mkdir -p "$out/mlp"
run "$NNCC" examples/mlp/model.onnx -o "$out/mlp/moons.c"
run gcc -std=c11 -O2 -Wall -Wextra "-I$out/mlp" \
    examples/mlp/main.c "$out/mlp/moons.c" -lm -o "$out/mlp/moons"
run "$out/mlp/moons"
