#!/usr/bin/env bash
# Builds api.c, api.cpp and the program of docs/profiling.md against two generated models and runs them: api.sh NNCC WORK
set -euo pipefail
nncc=$(realpath "$1") work=$2
here=$(cd "$(dirname "$0")" && pwd)
examples=$here/../../examples
rm -rf "$work" && mkdir -p "$work" && cd "$work"
"$nncc" "$examples/digits/model.onnx" -o digits.c
"$nncc" "$examples/mlp/model.onnx" --name=moons -o moons.c

strict="-O1 -g -Wall -Wextra -Wpedantic -Wshadow -Werror"
sanitize="-fsanitize=address,undefined -fno-sanitize-recover=all"
# shellcheck disable=SC2086
{
    gcc -std=c99 $strict $sanitize -c digits.c
    gcc -std=c99 $strict $sanitize -c moons.c
    gcc -std=c99 $strict $sanitize -I. "$here/api.c" digits.o moons.o -lm -o api-c
    ASAN_OPTIONS=detect_leaks=0 ./api-c
    if command -v g++ >/dev/null; then
        g++ -std=c++11 $strict $sanitize -I. "$here/api.cpp" digits.o moons.o -lm -o api-cpp
        ./api-cpp
    else
        echo "SKIP api.cpp: no g++"
        echo "0 passed, 0 failed, 1 skipped"
    fi
}
# The program of docs/profiling.md prints a line for each nest of the C.
sed -n '/^```c$/,/^```$/p' "$here/../../docs/profiling.md" | grep -v '^```' >profiling.c
# shellcheck disable=SC2086
gcc -std=c11 -D_POSIX_C_SOURCE=200809L $strict $sanitize -I. profiling.c digits.o -lm -o profiling
./profiling >profiling.txt
if [ "$(grep -c ' us  .*: S[0-9]' profiling.txt)" = "$(grep -c '^static NNCC_NOINLINE void' digits.c)" ]; then
    echo "1 passed, 0 failed, 0 skipped"
else
    echo "FAIL api: the program of docs/profiling.md printed" && cat profiling.txt && echo "0 passed, 1 failed, 0 skipped" && exit 1
fi
# Both models in one C file, as some firmware builds have it.
printf '#include "digits.c"\n#include "moons.c"\n' >both.c
# shellcheck disable=SC2086
gcc -std=c99 $strict -I. -c both.c
