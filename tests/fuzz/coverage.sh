#!/usr/bin/env bash
# Line coverage of frontend/ by a corpus: coverage.sh CORPUS BUILD [PERCENT]. Builds the ONNX fuzz target instrumented
# for llvm-cov in BUILD, runs the corpus once and fails below PERCENT (70) of the lines.
set -euo pipefail
corpus=$(realpath "$1") build=$2 least=${3:-70}
source=$(cd "$(dirname "$0")/../.." && pwd)
for tool in clang-19 llvm-profdata-19 llvm-cov-19; do
    command -v $tool >/dev/null || { echo "SKIP coverage: no $tool"; exit 77; }
done
cmake -S "$source" -B "$build" -G Ninja -DCMAKE_C_COMPILER=clang-19 -DCMAKE_BUILD_TYPE=Debug -DNNCC_FUZZ=ON -DNNCC_COVERAGE=ON >/dev/null
# The path of external weights is part of the target: give it the corpus's.
mkdir -p "$build/tests/fuzz/corpus"
rm -rf "$build/tests/fuzz/corpus/external"
cp -r "$(dirname "$corpus")/external" "$build/tests/fuzz/corpus/external"
cmake --build "$build" --target fuzz_onnx >/dev/null
LLVM_PROFILE_FILE=$build/coverage.raw "$build/tests/fuzz/fuzz_onnx" -runs=0 "$corpus" 2>"$build/coverage.log"
llvm-profdata-19 merge -sparse "$build/coverage.raw" -o "$build/coverage.data"
report() {
    llvm-cov-19 report "$build/tests/fuzz/fuzz_onnx" -instr-profile="$build/coverage.data" "$source"/frontend/*.c
}
# Columns: file, regions (3), functions (3), lines (count, missed, cover), branches (3).
report | awk '$1 ~ /\.c$|^TOTAL$/ { printf "%-40s %6s lines, %s covered\n", $1, $8, $10 }'
percent=$(report | awk '$1 == "TOTAL" { sub(/%/, "", $10); print $10 }')
if awk -v p="$percent" -v l="$least" 'BEGIN { exit !(p >= l) }'; then
    echo "1 passed, 0 failed, 0 skipped"
else
    echo "FAIL coverage: $percent % of the lines of frontend/, at least $least % expected"
    echo "0 passed, 1 failed, 0 skipped"
    exit 1
fi
