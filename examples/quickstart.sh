#!/bin/sh
# From nothing to a running network on a fresh Debian 12: installs what is missing (as root or
# through sudo), builds nncc, compiles the trained digits network to C, builds the program and
# classifies 450 pictures the network never saw.  Needs no Python.
#
#     ./examples/quickstart.sh            (NNCC=/path/to/nncc uses one that is built already)
#
# Ends with 0 when as many pictures are right as were recorded when the network was trained.
set -eu
cd -- "$(dirname -- "$0")/.."
. examples/setup.sh
start=$(date +%s)

echo "== 1. the compiler"
build_nncc

echo
echo "== 2. the network: ONNX to C"
mkdir -p "$out/digits"
run "$NNCC" examples/digits/model.onnx -o "$out/digits/digits.c"
wc -c examples/digits/model.onnx "$out/digits/digits.c" "$out/digits/digits.h" | sed '$d'

echo
echo "== 3. the program"
run gcc -std=c11 -O3 -Wall -Wextra "-I$out/digits" \
    examples/digits/main.c "$out/digits/digits.c" -lm -o "$out/digits/digits"

echo
echo "== 4. 450 handwritten digits"
status=0
run "$out/digits/digits" examples/digits/digits.bin || status=$?

echo
if [ "$status" -eq 0 ]; then
    echo "ok: as recorded, in $(($(date +%s) - start)) s from the start"
else
    echo "FAILED: the answers are not those recorded" >&2
fi
exit "$status"
