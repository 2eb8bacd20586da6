#!/usr/bin/env bash
# Run the tests that touch MMDetection with OneDL's maintained forks, in an environment of their own.
# The compiled mmcv is kept beside the usual one, in $MMCOMPOSE_CACHE/forks.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

venv=.venv-forks
cache=${MMCOMPOSE_CACHE:-$HOME/.cache/mmcompose}/forks
python=$venv/bin/python
if [ ! -f "$venv/ready" ]; then
    .venv/bin/python -m venv --clear "$venv"
    "$python" -m pip install -q -c constraints.txt setuptools wheel ninja numpy torch
    mkdir -p "$cache"
    if ! compgen -G "$cache/onedl_mmcv-*.whl" >/dev/null; then
        # pip's own cache would give a wheel that was compiled against any other torch; torch looks
        # for ninja on the PATH. MAX_JOBS sets how many compilers run at once.
        PATH="$PWD/$venv/bin:$PATH" MMCV_WITH_OPS=1 CFLAGS='-g0 -O1' "$python" -m pip wheel -q \
            --no-cache-dir --no-build-isolation --no-deps -w "$cache" onedl-mmcv==2.3.6
    fi
    "$python" -m pip install -q "$cache"/onedl_mmcv-*.whl onedl-mmengine==0.10.12 \
        onedl-mmdetection==3.5.1
    "$python" -m pip install -q -c constraints.txt -r requirements/runtime.txt \
        -r requirements/tests.txt
    # The implementations that EfficientDet is compared with: `make setup` made them.
    ln -sfn ../.venv/reference "$venv/reference"
    touch "$venv/ready"
fi
exec "$python" -m pytest -q -n 2 tests/engine tests/teachers tests/datasets tests/models "$@"
