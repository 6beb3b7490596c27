#!/usr/bin/env bash
# What -mcpu=native stands for on processors of other machines: codegen/target.c built for them, run by QEMU as each.
#
#   run.sh WORK
#
# Ends with `N passed, N failed, N skipped`; 77 where nothing runs.
set -uo pipefail
work=$1
cd "$(dirname "$0")/../.." || exit 2
passed=0 failed=0 skipped=0
mkdir -p "$work"

# check COMPILER EMULATOR EMULATED=EXPECTED...: a program of the compiler on each processor of the emulator.
check() {
    local compiler=$1 emulator=$2 pair got
    shift 2
    if ! command -v "$compiler" >/dev/null || ! command -v "$emulator" >/dev/null; then
        echo "SKIP native: no $compiler or no $emulator" && skipped=$((skipped + $#))
        return
    fi
    if ! "$compiler" -std=c11 -Wall -Wextra -Werror -static -I. -o "$work/native-$compiler" codegen/target.c tests/native/native.c; then
        echo "FAIL native: $compiler does not build it" && failed=$((failed + $#))
        return
    fi
    for pair; do
        got=$("$emulator" -cpu "${pair%=*}" "$work/native-$compiler")
        if [ "$got" = "${pair#*=}" ]; then
            passed=$((passed + 1))
        else
            echo "FAIL native: on ${pair%=*} it is '$got', not ${pair#*=}" && failed=$((failed + 1))
        fi
    done
}

# The last ones are no rows: without and with dot products.
check aarch64-linux-gnu-gcc qemu-aarch64 cortex-a53=cortex-a53 cortex-a72=cortex-a72 cortex-a76=cortex-a76 \
    neoverse-n1=neoverse-n1 cortex-a57=cortex-a53 max=neoverse-n1
# Without the fused products of VFPv4, and with them.
check arm-linux-gnueabihf-gcc qemu-arm cortex-a9=scalar cortex-a7=cortex-a7 cortex-a15=cortex-a7
echo "$passed passed, $failed failed, $skipped skipped"
[ $((passed + failed)) -gt 0 ] || exit 77
[ "$failed" = 0 ]
