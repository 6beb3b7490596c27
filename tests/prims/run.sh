#!/usr/bin/env bash
# Compares the rows of codegen/targets/ with scalar.def and the functions of codegen/math.def with libm, for each table that this
# machine can run, by gcc and clang.
#
#   run.sh PRIMS WORK     PRIMS: the program of prims.c
#
# A row counts once for each compiler and level. Ends with `N passed, N failed, N skipped`; 77 where no table runs.
set -uo pipefail
prims=$1 work=$2 here=$(cd "$(dirname "$0")" && pwd)
flags=(-std=c99 -Wall -Wextra -Wpedantic -Wshadow -Wmissing-prototypes -Wvla -Werror -ffp-contract=off -I"$here")
passed=0 failed=0 skipped=0
mkdir -p "$work"

# judge NAME COMPILER LEVEL: builds NAME.c and adds up what it prints.
judge() {
    local name=$1 compiler=$2 level=$3 line
    local program=$work/$name-$compiler$level
    if ! "$compiler" "${flags[@]}" "$level" "$work/$name.c" -o "$program" -lm 2>"$program.log"; then
        head -20 "$program.log"
        echo "FAIL $name: $compiler $level does not compile it" && failed=$((failed + 1))
        return
    fi
    "$program" >"$program.log"
    sed -n "s/^FAIL/FAIL $name $compiler $level:/p" "$program.log"
    line=$(tail -1 "$program.log")
    if [[ $line =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed ]]; then
        passed=$((passed + BASH_REMATCH[1])) failed=$((failed + BASH_REMATCH[2]))
    else
        echo "FAIL $name: $compiler $level: it ended early" && failed=$((failed + 1))
    fi
}

cpus=$("$prims" --list)
compilers=(gcc)
command -v clang-19 >/dev/null && compilers+=(clang-19)
for cpu in x86-64-v3 x86-64-v4; do
    grep -qx "$cpu" <<<"$cpus" || { echo "SKIP $cpu: not a processor of that kind" && skipped=$((skipped + 1)); }
done
for cpu in $cpus; do
    for type in f32 f64 math; do
        "$prims" "$cpu" $type >"$work/$cpu-$type.c" || { failed=$((failed + 1)) && continue; }
        for compiler in "${compilers[@]}"; do
            judge "$cpu-$type" "$compiler" -O2
        done
        judge "$cpu-$type" gcc -O0
    done
done
echo "$passed passed, $failed failed, $skipped skipped"
[ $((passed + failed)) -gt 0 ] || exit 77
[ "$failed" = 0 ]
