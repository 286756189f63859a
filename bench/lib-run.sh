# Sourced by the wrappers in bench/: run the module of the same name in the checkout's own environment.
# shellcheck shell=bash
set -euo pipefail
root=$(cd -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/.." && pwd -P)
# shellcheck source=bin/lib-env.sh
. "$root/bin/lib-env.sh"
ensure_venv dev >&2
export PYTHONPATH="$root/src:$root"
cd "$root"
exec "$python" -m "bench.$(basename -- "$0")" "$@"
