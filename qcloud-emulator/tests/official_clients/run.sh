#!/bin/sh
# Runs lives.py, a life of each service by the official clients, against the emulator: makes a virtual environment (in
# $QCLOUD_PYTHON_VENV when set, to keep it), installs the clients there, starts the emulator on a free port, and stops it
# at the end. The binary is $QCLOUD_EMULATOR when set; otherwise cargo builds it. Arguments name services; all by default.
# The Node client is left out where there is no npm.
set -eu

TCCLI=3.1.189.1
NODE_COMMON=4.1.220
NODE_CVM=4.1.316
NODE_STS=4.1.100
NODE_TKE=4.1.314

here=$(cd "$(dirname "$0")" && pwd)
manifest=$here/../../Cargo.toml
work=$(mktemp -d)
venv=${QCLOUD_PYTHON_VENV:-$work/venv}
emulator=

finish() {
    if [ -n "$emulator" ]; then
        kill "$emulator" 2>/dev/null || true
        wait "$emulator" 2>/dev/null || true
    fi
    rm -rf "$work"
}
trap finish EXIT
trap 'exit 1' INT TERM

if [ ! -x "$venv/bin/python" ]; then
    python3 -m venv "$venv"
fi
# First what tccli needs, then tccli itself without asking what it needs: see requirements.txt.
pip() { "$venv/bin/python" -m pip install --quiet --disable-pip-version-check "$@"; }
# It writes its settings into the home folder, whatever it is asked.
if [ "$(HOME=$work "$venv/bin/tccli" --version 2>/dev/null)" != "$TCCLI" ]; then
    pip --requirement "$here/requirements.txt"
    # Without compiling: it has the modules of hundreds of services, of which the used ones are compiled when used.
    pip --no-deps --no-compile "tccli==$TCCLI"
fi

NODE_MODULES=
if command -v node >/dev/null && command -v npm >/dev/null; then
    npm install --prefix "$work" --no-save --no-audit --no-fund --loglevel=error \
        "tencentcloud-sdk-nodejs-common@$NODE_COMMON" "tencentcloud-sdk-nodejs-cvm@$NODE_CVM" \
        "tencentcloud-sdk-nodejs-sts@$NODE_STS" "tencentcloud-sdk-nodejs-tke@$NODE_TKE" >"$work/npm.txt" || {
        cat "$work/npm.txt"
        exit 1
    }
    NODE_MODULES=$work/node_modules
else
    echo "node: left out, because there is no node or no npm on this machine"
fi
export NODE_MODULES

if [ -z "${QCLOUD_EMULATOR:-}" ]; then
    cargo build --quiet --locked --manifest-path "$manifest" --bin qcloud-emulator
    target=$(cargo metadata --manifest-path "$manifest" --format-version 1 --no-deps |
        "$venv/bin/python" -c 'import json, sys; print(json.load(sys.stdin)["target_directory"])')
    QCLOUD_EMULATOR=$target/debug/qcloud-emulator
fi

: >"$work/emulator.txt"
# Ten seconds for each request: what takes time is done after one more question, and nobody has to sleep.
"$QCLOUD_EMULATOR" --port 0 --check-responses --advance-per-request 10 >"$work/emulator.txt" &
emulator=$!
tries=0
until grep -q '^export TENCENTCLOUD_ENDPOINT=' "$work/emulator.txt"; do
    tries=$((tries + 1))
    if [ "$tries" -gt 100 ] || ! kill -0 "$emulator" 2>/dev/null; then
        echo "the emulator did not start" >&2
        exit 1
    fi
    sleep 0.1
done
grep '^export TENCENTCLOUD_' "$work/emulator.txt" >"$work/environment.sh"
. "$work/environment.sh"

"$venv/bin/python" -B "$here/lives.py" "$@"

# It has to stop cleanly, too.
kill -TERM "$emulator"
status=0
wait "$emulator" || status=$?
emulator=
if [ "$status" -ne 0 ]; then
    echo "the emulator ended with status $status" >&2
    exit 1
fi
