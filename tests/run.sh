#!/usr/bin/env bash
# Installs what the tests need, builds nncc three ways and runs every test.
#
#   tests/run.sh [--fuzz SECONDS] [LABEL...]     labels: unit golden prims node model random bench fuzz lint (default: all)
#
# Debian packages are installed as root or through sudo, Python packages into build/venv. What cannot be installed makes
# tests skip, which is said. --fuzz sets how long each of the four fuzz targets runs (default 20).
# The last line is `N passed, N failed, N skipped`; exit status 0 when none failed.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 2
fuzz_seconds=20
labels=()
while [ $# -gt 0 ]; do
    case $1 in
    --fuzz) fuzz_seconds=$2 && shift ;;
    unit | golden | prims | node | model | random | bench | fuzz | lint) labels+=("$1") ;;
    *) echo "usage: tests/run.sh [--fuzz SECONDS] [unit|golden|prims|node|model|random|bench|fuzz|lint]..." && exit 2 ;;
    esac
    shift
done
[ ${#labels[@]} -gt 0 ] || labels=(unit golden prims node model random bench fuzz lint)

needed=(gcc libc6-dev cmake ninja-build make pkg-config libprotobuf-c-dev protobuf-c-compiler libisl-dev libgmp-dev check python3 python3-venv)
wanted=(g++ protobuf-compiler clang-19 libclang-rt-19-dev llvm-19 clang-format-14 binutils git
    gcc-arm-none-eabi libnewlib-arm-none-eabi qemu-system-arm
    gcc-aarch64-linux-gnu libc6-dev-arm64-cross gcc-arm-linux-gnueabihf libc6-dev-armhf-cross
    gcc-riscv64-linux-gnu libc6-dev-riscv64-cross qemu-user)

# install PACKAGE...: those that are missing; false when that does not work.
install() {
    local missing=() package
    for package; do
        dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null | grep -q '^installed$' || missing+=("$package")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    echo "installing ${missing[*]}"
    local root=()
    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null || { echo "cannot install: neither root nor sudo" && return 1; }
        root=(sudo)
    fi
    "${root[@]}" apt-get update -q >build/apt.log 2>&1
    "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${missing[@]}" >>build/apt.log 2>&1 ||
        { echo "apt-get could not install them (build/apt.log)" && return 1; }
}

# A virtual environment with the pinned packages of tests/requirements.txt; made once.
make_venv() {
    cmp -s tests/requirements.txt build/venv/requirements.txt && return 0
    echo "installing $(grep -c == tests/requirements.txt) Python packages into build/venv"
    rm -rf build/venv
    { python3 -m venv build/venv && build/venv/bin/pip install -q -r tests/requirements.txt; } >build/pip.log 2>&1 ||
        { echo "cannot make the virtual environment (build/pip.log): node, model, random, bench and corpus tests are skipped" && return 1; }
    cp tests/requirements.txt build/venv/requirements.txt
}

# build PRESET OPTION...
build() {
    echo "building $1"
    { cmake --preset "$@" && cmake --build --preset "$1" -j "$(nproc)"; } >"build/$1.log" 2>&1 ||
        { tail -n 40 "build/$1.log" && echo "building $1 failed (build/$1.log)" && exit 1; }
}

# check PRESET FOLDER LABEL...: runs those labels that were asked for.
check() {
    local preset=$1 folder=$2 label chosen=()
    shift 2
    for label; do
        [[ " ${labels[*]} " == *" $label "* ]] && chosen+=("$label")
    done
    [ ${#chosen[@]} -gt 0 ] || return 0
    echo "== $preset: ${chosen[*]}"
    rm -f "$folder/junit.xml"
    ctest --test-dir "$folder" -L "^($(IFS='|' && echo "${chosen[*]}"))\$" -j "$(nproc)" --output-on-failure \
        --test-output-size-passed 1000000 --test-output-size-failed 1000000 --output-junit junit.xml
    reports+=("$folder")
}

mkdir -p build
if ! install "${needed[@]}"; then
    echo "needed: ${needed[*]}"
    exit 1
fi
install "${wanted[@]}" || echo "going on: tests that need one of ${wanted[*]} are skipped where it is missing"
python=python3
make_venv && python=$PWD/build/venv/bin/python

reports=()
options=(-DNNCC_PYTHON="$python" -DNNCC_CASES="$PWD/build/node-cases")
build release "${options[@]}"
build debug "${options[@]}" -DNNCC_TWIN="$PWD/build/nncc"
check debug build-debug unit golden prims node model random
check release build bench lint
if [[ " ${labels[*]} " == *" fuzz "* ]]; then
    if command -v clang-19 >/dev/null; then
        build fuzz "${options[@]}" -DNNCC_FUZZ_SECONDS="$fuzz_seconds"
        check fuzz build-fuzz fuzz
    else
        echo "no clang-19: fuzz tests do not run"
    fi
fi
python3 tests/count.py "${reports[@]}"
