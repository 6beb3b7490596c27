#!/usr/bin/env bash
# Installs the build into a folder and uses it from there: test.sh BUILD WORK
set -euo pipefail
build=$(realpath "$1") work=$2
here=$(cd "$(dirname "$0")" && pwd)
rm -rf "$work" && mkdir -p "$work" && work=$(realpath "$work")
cmake --install "$build" --prefix "$work/usr" >/dev/null
for file in bin/nncc include/nncc.h share/man/man1/nncc.1; do
    [ -f "$work/usr/$file" ] || { echo "FAIL package: $file is not installed"; exit 1; }
done
cp -r "$here/../../examples/mlp" "$here/../../examples/digits" "$work/"
cmake -S "$here" -B "$work/app" -G Ninja -DCMAKE_PREFIX_PATH="$work/usr" -DMODELS="$work" >/dev/null
cmake --build "$work/app" >"$work/build.log" || { cat "$work/build.log"; exit 1; }
"$work/app/app"

# Nothing to do on a second build; a touched model is compiled again.
again() {
    cmake --build "$work/app" | grep -c "nncc .*model.onnx" || true
}
first=$(again)
sleep 1
touch "$work/digits/model.onnx"
second=$(again)
if [ "$first" != 0 ] || [ "$second" != 1 ]; then
    echo "FAIL package: $first models compiled again without a change, $second after one"
    exit 1
fi
echo "1 passed, 0 failed, 0 skipped"
