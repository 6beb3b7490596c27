#!/usr/bin/env bash
# Builds api.c and api.cpp against two generated models and runs them: api.sh NNCC WORK
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
# Both models in one C file, as some firmware builds have it.
printf '#include "digits.c"\n#include "moons.c"\n' >both.c
# shellcheck disable=SC2086
gcc -std=c99 $strict -I. -c both.c
