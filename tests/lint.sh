#!/usr/bin/env bash
# Checks of the source text that no compiler makes: who may include whom, sizes of files and functions, words, layout.
#
#   tests/lint.sh [BUILD]      BUILD: a release build, for the checks of link edges and mutable globals
#
# Prints one line per offence and ends with `N passed, N failed, N skipped`, counting checks.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 2
build=${1:-}
passed=0 failed=0 skipped=0

# report NAME OFFENCES: a check passed when there are no offences.
report() {
    if [ -z "$2" ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf 'FAIL lint %s:\n%s\n' "$1" "$2"
    fi
}

skip() {
    skipped=$((skipped + 1))
    printf 'SKIP lint %s: %s\n' "$1" "$2"
}

# The project's files: what git knows or would take.
files() {
    git ls-files --cached --others --exclude-standard -- "$@" | sort -u | while read -r f; do [ -f "$f" ] && echo "$f"; done
}

mapfile -t compiler_c < <(files 'ir/*.[ch]' 'frontend/*.[ch]' 'passes/*.[ch]' 'polyhedral/*.[ch]' 'codegen/*.[ch]' 'runtime/*.[ch]' nncc.c)
mapfile -t all_c < <(files '*.c' '*.h')

# A folder includes itself and ir/; ir/interp*.c also runtime/; nncc.c and passes/pipeline.c are the wiring.
includes() {
    awk '
        FILENAME == "nncc.c" || FILENAME == "passes/pipeline.c" { next }
        match($0, /^[ \t]*#[ \t]*include[ \t]*"[^"]*"/) {
            split($0, part, "\""); split(FILENAME, dir, "/"); n = split(part[2], to, "/")
            if (n == 1 && FILENAME ~ /^(runtime|frontend)\//) next
            if (to[1] == dir[1]) next
            if (to[1] == "ir" && dir[1] != "runtime") next
            if (to[1] == "runtime" && FILENAME ~ /^ir\/interp[a-z_]*\.c$/) next
            print FILENAME ":" FNR ": may not include \"" part[2] "\""
        }' "${compiler_c[@]}"
}

# Foreign libraries stay in their folder, and out of its public header.
foreign() {
    grep -nE 'protobuf-c|pb-c\.h|\bProtobufC|\bOnnx__' "${compiler_c[@]}" | grep -vE '^frontend/' # inside, but:
    grep -HnE 'protobuf-c|pb-c\.h|\bProtobufC|\bOnnx__' frontend/frontend.h
    grep -nE '[<"]isl/|\bisl_[a-z]+' "${compiler_c[@]}" | grep -v '^polyhedral/'
    grep -nE '[<"]llvm-c/|\bLLVM[A-Z][A-Za-z]+\(' "${compiler_c[@]}" | grep -v '^codegen/llvm\.c:'
    grep -nE '[<"]check\.h' "${all_c[@]}" | grep -v '^tests/unit/'
}

file_sizes() {
    wc -l "${all_c[@]}" | awk '$2 != "total" && $1 > 1000 { print $2 ": " $1 " lines, at most 1000" }'
    if [ -f ir/base.h ]; then
        wc -l ir/base.h | awk '$1 > 400 { print $2 ": " $1 " lines, at most 400" }'
    fi
}

# One line per function: length of the body, name, file:line, share of lines that are cases of a flat switch.
function_table() {
    awk '
        FNR == 1 { inside = 0; head = "" }
        !inside && /^[A-Za-z_]/ { head = $0; from = FNR }
        !inside && head != "" && /\) *\{$/ && head !~ /^(struct|union|enum|typedef)[^(]*$/ {
            name = head; sub(/\(.*/, "", name); sub(/.*[ *]/, "", name)
            inside = 1; lines = 0; flat = 0; next
        }
        !inside && /[;}]$/ { head = "" }
        inside && /^}/ { printf "%d %s %s:%d %d\n", lines, name, FILENAME, from, lines ? 100 * flat / lines : 0; inside = 0; head = ""; next }
        inside { lines++; if ($0 ~ /^ *(case .*:|default:|break;|return .*;)/) flat++ }' "$@"
}

function_sizes() {
    function_table "${all_c[@]}" | awk '$1 > 80 && $4 < 50 { print $3 ": " $2 " has " $1 " lines, at most 80 unless it is one flat switch" }'
    function_table "${compiler_c[@]}" | sort -n | awk '
        { length_of[NR] = $1 }
        END {
            if (NR && length_of[int((NR + 1) / 2)] > 15) print "median function: " length_of[int((NR + 1) / 2)] " lines, at most 15"
            if (NR && length_of[int(NR * 0.9)] > 40) print "9 of 10 functions: up to " length_of[int(NR * 0.9)] " lines, at most 40"
        }'
}

# Operators are rows and lowering functions; C is spelled in codegen/ alone.
operator_c_text() {
    local rows
    mapfile -t rows < <(files 'ir/ops/*.c')
    [ ${#rows[@]} = 0 ] || grep -HnE '"[^"]*(;\\n|; *"|for \(|\((float|double|u?int[0-9]+_t) ?\*?\)|\breturn |#include|\bNNCC_)[^"]*"' "${rows[@]}" |
        grep -v ':#include'
}

# Nothing unfinished, and no path of one machine.
words() {
    local text
    mapfile -t text < <(files '*.c' '*.h' '*.def' '*.sh' '*.py' '*.md' '*.txt' '*.cmake' '*.in' '*.proto' '*.1' CMakeLists.txt | grep -v '^tests/lint\.sh$')
    grep -nE '\b(TODO|FIXME|XXX|HACK)\b|not yet implemented' "${text[@]}"
    grep -nE '(^|[^A-Za-z0-9_.$}])/(home|root|work|Users)/' "${text[@]}"
    grep -nE '\.\./shared' "${text[@]}" | grep -v '^tests/'
}

headers_alone() {
    local h
    for h in $(printf '%s\n' "${compiler_c[@]}" | grep '\.h$'); do
        [ -z "$build" ] && grep -q 'pb-c\.h' "$h" && continue # the schema is compiled in the build
        printf '#include "%s"\ntypedef int alone;\n' "$h" |
            gcc -std=c11 -I. ${build:+-I"$build/protobuf"} -Wall -Wextra -Werror -fsyntax-only -x c - 2>&1 | head -1 | sed "s|^|$h is not self-contained: |"
    done
}

layout() {
    "$1" --dry-run "${all_c[@]}" 2>&1 | grep 'warning: code should be clang-formatted' | cut -d: -f1 | sort | uniq -c |
        awk '{ print $2 ": " $1 " places are not as clang-format has them" }'
}

# The undefined symbols of library $1 must be its own, of the C library or of the libraries after it.
edge() {
    local lib=$1 own
    own=$build/libnncc_$lib.a
    shift
    comm -23 <(nm -u "$own" 2>/dev/null | awk 'NF == 2 { print $2 }' | sort -u) \
        <(for l in "$own" "${@/#/$build/libnncc_}"; do nm --defined-only "${l%.a}.a" 2>/dev/null | awk 'NF == 3 { print $3 }'; done | sort -u) |
        comm -12 - <(nm --defined-only "$build"/libnncc_*.a 2>/dev/null | awk 'NF == 3 && $2 ~ /[A-Z]/ { print $3 }' | sort -u) |
        sed "s|^|nncc_$lib may not use |"
}

edges() {
    edge runtime
    edge ir runtime
    edge frontend ir
    edge passes ir
    edge polyhedral ir
    edge codegen ir
}

globals() {
    local lib
    for lib in runtime ir frontend passes polyhedral codegen wiring; do
        objdump -t "$build/libnncc_$lib.a" 2>/dev/null |
            awk -v lib=$lib '/file format/ { object = $1 } object !~ /pb-c/ && / O (\.data|\.bss|\*COM\*)[ \t]/ { print "nncc_" lib " " object " mutable global " $NF }'
    done
}

# tests/node/expected.txt only loses cases (of one and the same onnx version) from commit to commit.
shrinking() {
    local list=tests/node/expected.txt now before
    [ -f $list ] || return
    now=$(sed -n 's/^\(test_[A-Za-z0-9_]*\): .*/\1/p' $list | sort)
    for before in $(git log --format=%H -- $list); do
        [ "$(git show "$before:$list" | head -1)" = "$(head -1 $list)" ] || break
        comm -13 <(git show "$before:$list" | sed -n 's/^\(test_[A-Za-z0-9_]*\): .*/\1/p' | sort) <(echo "$now") |
            sed "s|^|$list has a case that ${before:0:10} had not: |"
    done | sort -u
}

# The man page describes the options that --help lists, and no others.
man_page() {
    comm -3 <("$build/nncc" --help | grep -oE '(^|[ ,|])--?[A-Za-z][A-Za-z0-9-]*' | grep -oE -- '--?[A-Za-z0-9-]+' | sort -u) \
        <(sed -n '/^\.SH OPTIONS/,/^\.SH FILES/p' docs/nncc.1 | awk 'after { print $2 } { after = $0 == ".TP" }' | sed 's/\\//g; s/=.*//' | sort -u) |
        sed 's/^\t/only in docs\/nncc.1: /; t; s/^/only in --help: /'
}

report "include rules" "$(includes)"
report "foreign libraries" "$(foreign)"
report "file sizes" "$(file_sizes)"
report "function sizes" "$(function_sizes)"
report "C text in ir/ops" "$(operator_c_text)"
report "words" "$(words)"
report "self-contained headers" "$(headers_alone)"
if command -v clang-format-14 >/dev/null; then
    report "clang-format" "$(layout clang-format-14)"
else
    skip "clang-format" "clang-format-14 is not installed"
fi
if [ -x "$build/nncc" ]; then
    report "link edges" "$(edges)"
    report "mutable globals" "$(globals)"
    report "man page" "$(man_page)"
else
    skip "link edges, mutable globals, man page" "no build given"
fi
if git rev-parse -q --verify HEAD >/dev/null 2>&1; then
    report "refused node tests only shrink" "$(shrinking)"
else
    skip "refused node tests only shrink" "no git history"
fi
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
