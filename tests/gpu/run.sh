#!/usr/bin/env bash
# All that is to be checked on a GPU, in under eight minutes, on a machine with Python, PyTorch >= 2.11
# and no network: tests/gpu/run.sh [--device cuda] [--out report.json]. tests/gpu/pack.sh, run before
# on a machine with a network, gathers the wheels it installs into a folder of its own.
set -euo pipefail
cd "$(dirname "$0")/../.."

python="${PYTHON:-python3}"
if compgen -G 'tests/gpu/wheels/*.whl' >/dev/null; then
    site="$(mktemp -d)"
    trap 'rm -rf "$site"' EXIT
    "$python" -m pip install --quiet --disable-pip-version-check --no-index --no-deps --no-compile \
        --no-cache-dir --upgrade --target "$site" tests/gpu/wheels/*.whl
    export PYTHONPATH="$site:$PWD/tests/gpu/stubs${PYTHONPATH:+:$PYTHONPATH}"
fi
export PYTHONUNBUFFERED=1 PYTHONPATH="$PWD${PYTHONPATH:+:$PYTHONPATH}"
"$python" -m tests.gpu.report "$@"
