#!/usr/bin/env bash
# Runs one fuzz target: run.sh TARGET CORPUS SECONDS. New inputs are kept beside the corpus (CORPUS-new), a crashing,
# leaking or hanging one as CORPUS-crash-*, which makes the test fail.
set -uo pipefail
target=$1 corpus=$2 seconds=$3
mkdir -p "$corpus-new"
log=$corpus-log.txt
"$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -max_len=65536 -print_final_stats=1 \
    -artifact_prefix="$corpus-crash-" "$corpus-new" "$corpus" >"$log" 2>&1
code=$?
grep -E '^stat::number_of_executed_units|^stat::peak_rss_mb' "$log"
tail -n 1 "$log"
if [ $code != 0 ]; then
    grep -vE '^#[0-9]|^	NEW_FUNC|^INFO' "$log" | head -n 60
    echo "0 passed, 1 failed, 0 skipped"
    exit 1
fi
echo "$(find "$corpus" -type f | wc -l) seeds, $(find "$corpus-new" -type f | wc -l) inputs found"
echo "1 passed, 0 failed, 0 skipped"
