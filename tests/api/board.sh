#!/usr/bin/env bash
# An example for a board, in QEMU: board.sh NNCC FOLDER CPU COMPILER. FOLDER is one of examples/, which needs COMPILER and what
# cross.py has for CPU. Its exit status says whether the answers were right.
set -uo pipefail
nncc=$(realpath "$1") folder=$2 cpu=$3 compiler=$4
root=$(realpath "$(dirname "$0")/../..")
command -v "$compiler" >/dev/null || { echo "SKIP $folder: no $compiler"; exit 77; }
python3 "$root/tests/cross.py" "$cpu" >/dev/null || exit 77
if NNCC=$nncc "$root/examples/$folder/run.sh"; then
    echo "1 passed, 0 failed, 0 skipped"
else
    echo "0 passed, 1 failed, 0 skipped"
    exit 1
fi
