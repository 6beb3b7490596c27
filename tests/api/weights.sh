#!/usr/bin/env bash
# Constants in a file of their own (--weights=bin), with gcc and clang: weights.sh NNCC WORK
set -euo pipefail
nncc=$(realpath "$1") work=$2
here=$(cd "$(dirname "$0")" && pwd)
model=$here/../../examples/digits/model.onnx
rm -rf "$work" && mkdir -p "$work/sub" "$work/again" && cd "$work"
"$nncc" "$model" -o digits.c
"$nncc" "$model" -o sub/stored.c --weights=bin -MD
"$nncc" "$model" -o again/stored.c --weights=bin
passed=0
pass() { passed=$((passed + 1)); }
fail() { echo "FAIL weights: $1"; echo "$passed passed, 1 failed, 0 skipped"; exit 1; }
# refused WORDS COMMAND...: the command fails and says so
refused() {
    local words=$1
    shift
    if "$@" >refused.log 2>&1; then fail "built without error: $*"; fi
    grep -q -- "$words" refused.log || fail "no '$words' in what was said: $(cat refused.log)"
    pass
}

for file in stored.c stored.h stored.c.bin; do
    cmp "sub/$file" "again/$file" || fail "another $file on a second run"
done
grep -q '\.bin' sub/stored.d && fail "the dependency file names the constants"
[ "$(ls sub)" = "$(printf 'stored.c\nstored.c.bin\nstored.d\nstored.h')" ] || fail "files: $(ls sub)"
pass

[ "$(wc -c <sub/stored.c)" -lt $(($(wc -c <digits.c) / 4)) ] || fail "the C holds constants that belong into the file"
grep -q "The file: $(stat -c %s sub/stored.c.bin) bytes, FNV-1a" sub/stored.c || fail "another length in the C"
strict="-std=c99 -O1 -Wall -Wextra -Wpedantic -Wshadow -Wmissing-prototypes -Werror"
compilers="gcc"
command -v clang-19 >/dev/null && compilers="gcc clang-19"
# shellcheck disable=SC2086
for cc in $compilers; do
    $cc $strict -c digits.c -o "digits-$cc.o"
    $cc $strict -fPIC -I. -c sub/stored.c -o "stored-$cc.o"
    $cc -std=c11 $strict -std=c11 -I. -Isub "$here/weights.c" "digits-$cc.o" "stored-$cc.o" -lm -o "weights-$cc"
    "./weights-$cc" || fail "$cc: other results"
    $cc $strict -flto -c sub/stored.c -o lto.o
    objdump -h "stored-$cc.o" | grep -q '\.rodata\.nncc .*2\*\*6' || fail "$cc: section or alignment"
    $cc $strict '-DNNCC_CONST=__attribute__((section(".weights")))' '-DNNCC_CONST_SECTION=".weights"' \
        -c sub/stored.c -o placed.o
    objdump -h placed.o | grep -q '\.rodata\.nncc' && fail "$cc: constants outside of the section named"
    objdump -h placed.o | grep -q '\.weights .*2\*\*6' || fail "$cc: nothing in the section named"
    pass
    refused NNCC_CONST_SECTION $cc $strict '-DNNCC_CONST=__attribute__((section(".weights")))' -c sub/stored.c -o x.o
    # The file moved; another one; none; one that is too short or too long.
    $cc $strict '-DSTORED_WEIGHTS_FILE="again/stored.c.bin"' -c sub/stored.c -o moved.o
    cp sub/stored.c sub/stored.h .
    refused 'stored\.c\.bin' $cc $strict -c stored.c -o x.o
    head -c 1000 sub/stored.c.bin >stored.c.bin
    refused 'not the file of this C' $cc $strict -c stored.c -o x.o
    { cat sub/stored.c.bin; echo; } >stored.c.bin
    refused 'not the file of this C' $cc $strict -c stored.c -o x.o
    rm stored.c.bin
done
# Both in one C file, and a model without a constant large enough.
printf '#include "digits.c"\n#include "stored.c"\n' >sub/both.c
cp digits.c digits.h sub/
# shellcheck disable=SC2086
refused NNCC_CONST_SECTION gcc $strict -c sub/both.c -o x.o
# shellcheck disable=SC2086
gcc $strict '-DNNCC_CONST_SECTION=".rodata"' -c sub/both.c -o both.o
pass
"$nncc" "$here/../../examples/mlp/model.onnx" -o moons.c --weights=bin
# shellcheck disable=SC2086
gcc $strict -c moons.c
pass
if command -v arm-none-eabi-gcc >/dev/null; then
    # shellcheck disable=SC2086
    arm-none-eabi-gcc $strict -mcpu=cortex-m4 -mthumb -c sub/stored.c -o arm.o
    pass
fi
if command -v g++ >/dev/null; then
    printf '#include "stored.h"\nint main() { return stored_model.abi != 1; }\n' >cpp.cpp
    # shellcheck disable=SC2086
    g++ -Wall -Wextra -Wpedantic -Werror -Isub cpp.cpp stored-gcc.o -lm -o cpp && ./cpp
    pass
fi
echo "$passed passed, 0 failed, 0 skipped"
