#!/usr/bin/env bash
# The Cortex-M4 example in qemu: firmware.sh NNCC WORK. Its exit status says whether the answers were right.
set -uo pipefail
nncc=$(realpath "$1") work=$2
for tool in arm-none-eabi-gcc qemu-system-arm make; do
    command -v $tool >/dev/null || { echo "SKIP firmware: no $tool"; exit 77; }
done
rm -rf "$work" && mkdir -p "$work"
if make -s -C "$(dirname "$0")/../../examples/cortex-m4" check NNCC="$nncc" O="$(realpath "$work")"; then
    echo "1 passed, 0 failed, 0 skipped"
else
    echo "0 passed, 1 failed, 0 skipped"
    exit 1
fi
