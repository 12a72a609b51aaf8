#!/usr/bin/env bash
# Gathers what tests/gpu/run.sh needs on a machine without a network, as wheels in tests/gpu/wheels/
# (ignored by git), for the Python there: tests/gpu/pack.sh [3.12] [x86_64].
set -euo pipefail
cd "$(dirname "$0")"

version="${1:-3.12}"
machine="${2:-x86_64}"
most_mb=60

platforms=()
for minor in 17 24 26 27 28 31 34 35; do platforms+=(--platform "manylinux_2_${minor}_${machine}"); done
for old in manylinux2014 manylinux2010 manylinux1; do platforms+=(--platform "${old}_${machine}"); done

rm -rf wheels
"${PYTHON:-python3}" -m pip download --quiet --disable-pip-version-check --no-deps \
    --only-binary=:all: --implementation cp --python-version "$version" "${platforms[@]}" \
    --dest wheels --requirement requirements.txt

size_mb="$(du -sm wheels | cut -f1)"
echo "$(find wheels -name '*.whl' | wc -l) wheels for Python $version on $machine: $size_mb MB"
[ "$size_mb" -le "$most_mb" ] || { echo "That is more than $most_mb MB." >&2; exit 1; }
