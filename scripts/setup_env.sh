#!/usr/bin/env bash
# Finds a Python that can make .venv, and hands over to setup_env.py.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

# Succeeds where "$1" runs, is 3.11 or 3.12, and can make an environment. (Debian splits ensurepip
# off; a pyenv shim may stand for a version that is not chosen.)
fits() {
    "$1" -c 'import sys
if sys.version_info[:2] not in ((3, 11), (3, 12)): sys.exit(1)
import ensurepip, venv' >/dev/null 2>&1
}

if [ -n "${PYTHON:-}" ]; then
    if ! fits "$PYTHON"; then
        echo "mmcompose: PYTHON=$PYTHON is not a Python 3.11 or 3.12 that has venv" >&2
        exit 2
    fi
    exec "$PYTHON" "$here/setup_env.py"
fi
# The Python of a finished .venv stays, even where another would be found today.
for candidate in "$here/../.venv/bin/python" python3.11 python3.12 python3 python; do
    if fits "$candidate"; then
        exec "$candidate" "$here/setup_env.py"
    fi
done
echo 'mmcompose: found no Python 3.11 or 3.12 that has venv; install one or name it: make PYTHON=/path/to/python3.11' >&2
exit 2
