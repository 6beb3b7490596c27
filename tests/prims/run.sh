#!/usr/bin/env bash
# Compares the rows of codegen/targets/ with scalar.def and the functions of codegen/math.def with libm, by gcc and clang: each table
# that this machine can run, and those of other machines as far as ../cross.py has compilers and emulators for them.
#
#   run.sh PRIMS WORK     PRIMS: the program of prims.c
#
# A row counts once for each compiler, level and emulator; processors for which the C, the compiler and the emulator are the same
# are one. Ends with `N passed, N failed, N skipped`; 77 where no table runs.
set -uo pipefail
prims=$1 work=$2 here=$(cd "$(dirname "$0")" && pwd)
flags=(-std=c99 -Wall -Wextra -Wpedantic -Wshadow -Wmissing-prototypes -Wvla -Werror -ffp-contract=off -I"$here")
types=(f32 f64 math)
passed=0 failed=0 skipped=0
mkdir -p "$work"

fail() {
    echo "FAIL $*"
    failed=$((failed + 1))
}

# print CPU TYPE: the C of a table; false where it has no such vectors.
print() {
    local status
    "$prims" "$1" "$2" >"$work/$1-$2.c" 2>"$work/$1-$2.log" && return 0
    status=$?
    [ $status = 3 ] && echo "SKIP $1 $2: the table has no such vectors" && skipped=$((skipped + 1)) && return 1
    fail "$1 $2: prims ended with $status" && return 1
}

# build NAME LEVEL COMPILER...: NAME.c by a command; sets program.
build() {
    local name=$1 level=$2
    shift 2
    program=$work/$name-$1$level
    "$@" "${flags[@]}" "$level" "$work/$name.c" -o "$program" -lm 2>"$program.log" && return 0
    head -20 "$program.log"
    fail "$name: $1 $level does not compile it" && return 1
}

# judge NAME COMMAND...: runs it and adds up what it prints.
judge() {
    local name=$1 line
    shift
    "$@" >"$program.log" 2>&1
    sed -n "s/^FAIL/FAIL $name:/p" "$program.log"
    line=$(tail -1 "$program.log")
    if [[ $line =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed ]]; then
        passed=$((passed + BASH_REMATCH[1])) failed=$((failed + BASH_REMATCH[2]))
    else
        fail "$name: it ended early: $line"
    fi
}

# native CPU
native() {
    local cpu=$1 type compiler
    for type in "${types[@]}"; do
        print "$cpu" $type || continue
        for compiler in "${compilers[@]}"; do
            build "$cpu-$type" -O2 "$compiler" && judge "$cpu-$type $compiler -O2" "$program"
        done
        build "$cpu-$type" -O0 gcc && judge "$cpu-$type gcc -O0" "$program"
    done
}

# What ran already: level and C, and beyond -O0 compiler and emulator; the program of each level, C and compiler.
declare -A ran built

# emulate CPU TYPE LEVEL COMPILER EMULATOR
emulate() {
    local name=$1-$2 sum run command emulator
    sum="$3 $(cksum <"$work/$name.c")"
    run=$sum
    [ "$3" = -O0 ] || run="$sum $4 $5"
    [ -z "${ran[$run]:-}" ] || return 0
    ran[$run]=1
    read -ra command <<<"$4"
    read -ra emulator <<<"$5"
    program=${built[$sum $4]:-}
    if [ -z "$program" ]; then
        build "$name" "$3" "${command[@]}" || return
        built[$sum $4]=$program
    fi
    if [ "$2" = math ]; then # emulators take their time: one float in 20011
        judge "$name ${command[0]} $3 $5" "${emulator[@]}" "$program" 20011
    else
        judge "$name ${command[0]} $3 $5" "${emulator[@]}" "$program"
    fi
}

# emulated CPU WHY: by each compiler and emulator at -O2, the rows once at -O0; WHY it does not run natively.
emulated() {
    local cpu=$1 why=$2 pairs type compiler emulator
    if ! pairs=$(python3 "$here/../cross.py" "$cpu" 2>"$work/$cpu.log"); then
        echo "SKIP $cpu: $why; $(sed 's/^SKIP //' "$work/$cpu.log")" && skipped=$((skipped + 1))
        return
    fi
    for type in "${types[@]}"; do
        print "$cpu" $type || continue
        while IFS=$'\t' read -r compiler emulator; do
            emulate "$cpu" $type -O2 "$compiler" "$emulator"
            [ $type = math ] || emulate "$cpu" $type -O0 "$compiler" "$emulator"
        done <<<"$pairs"
    done
}

compilers=(gcc)
if command -v clang-19 >/dev/null; then
    compilers+=(clang-19)
else
    echo "SKIP no clang-19: gcc alone" && skipped=$((skipped + 1))
fi
for cpu in $("$prims" --list); do
    native "$cpu"
done
while IFS=$'\t' read -r cpu why; do
    [ -z "$cpu" ] || emulated "$cpu" "$why"
done < <("$prims" --others)
echo "$passed passed, $failed failed, $skipped skipped"
[ $((passed + failed)) -gt 0 ] || exit 77
[ "$failed" = 0 ]
