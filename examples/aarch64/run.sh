#!/bin/sh
# The digits network in a program for a 64-bit Arm Linux board: cross-compiles it with NEON for a
# Cortex-A53 and runs it in QEMU, which has that processor.
#
#     ./examples/aarch64/run.sh            (NNCC=/path/to/nncc uses one that is built already)
#
# Installs what is missing on Debian 12 (as root or through sudo). Ends with 0 when every digit is
# read as it should be.
set -eu
cd -- "$(dirname -- "$0")/../.."
. examples/setup.sh
work=$out/aarch64
mkdir -p "$work"

echo "== 1. the compilers and the emulator"
build_nncc
install_missing gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user

echo
echo "== 2. the network: ONNX to C"
run "$NNCC" examples/digits/model.onnx --target=aarch64-linux-gnu -mcpu=cortex-a53 \
    -o "$work/digits.c"

echo
echo "== 3. the program"
run aarch64-linux-gnu-gcc -std=c99 -O2 -Wall -Wextra -Wpedantic -static \
    "-I$work" -Iexamples/digits examples/sheet/main.c examples/sheet/draw.c \
    examples/sheet/find.c "$work/digits.c" -lm -o "$work/sheet"

echo
echo "== 4. the board"
status=0
run qemu-aarch64 -cpu cortex-a53 "$work/sheet" examples/digits/digits.bin || status=$?
echo
if [ "$status" -ne 0 ]; then
    echo "FAILED: exit status $status" >&2
    exit 1
fi
echo "ok: every digit is read as it should be"
