#!/bin/sh
# The digits network in a program for a 64-bit RISC-V Linux board: cross-compiles it for rv64gcv
# and runs it in QEMU, on processors with vectors of 128, 256 and 512 bits.
#
#     ./examples/riscv64/run.sh            (NNCC=/path/to/nncc uses one that is built already)
#
# Installs what is missing on Debian 12 (as root or through sudo). Ends with 0 when every digit is
# read as it should be on each of the processors.
set -eu
cd -- "$(dirname -- "$0")/../.."
. examples/setup.sh
work=$out/riscv64
mkdir -p "$work"

echo "== 1. the compilers and the emulator"
build_nncc
install_missing clang-19 gcc-riscv64-linux-gnu libc6-dev-riscv64-cross qemu-user

echo
echo "== 2. the network: ONNX to C"
run "$NNCC" examples/digits/model.onnx --target=riscv64-linux-gnu -mcpu=rv64gcv \
    -o "$work/digits.c"

echo
echo "== 3. the program"
run clang-19 --target=riscv64-linux-gnu -march=rv64gcv -mabi=lp64d \
    -std=c99 -O2 -Wall -Wextra -Wpedantic -static \
    "-I$work" -Iexamples/digits examples/sheet/main.c examples/sheet/draw.c \
    examples/sheet/find.c "$work/digits.c" -lm -o "$work/sheet"

# What an instruction leaves open, such as the lanes after a vector's end, becomes ones, so that
# nothing can rely on it.
status=0
for bits in 128 256 512; do
    cpu=rv64,v=true,vlen=$bits,vext_spec=v1.0,rvv_ta_all_1s=true,rvv_ma_all_1s=true
    echo
    echo "== 4. the board, with vectors of $bits bits"
    echo "\$ qemu-riscv64 -cpu $cpu $work/sheet examples/digits/digits.bin"
    qemu-riscv64 -cpu "$cpu" "$work/sheet" examples/digits/digits.bin >"$work/$bits.txt" ||
        status=$?
    if [ "$bits" -eq 128 ]; then
        cat "$work/128.txt"
    elif cmp -s "$work/128.txt" "$work/$bits.txt"; then
        echo "prints the same"
    else
        diff "$work/128.txt" "$work/$bits.txt" || status=1
    fi
done

echo
if [ "$status" -ne 0 ]; then
    echo "FAILED: exit status $status" >&2
    exit 1
fi
echo "ok: every digit is read as it should be, at each length of vectors"
