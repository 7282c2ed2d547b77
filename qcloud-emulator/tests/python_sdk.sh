#!/bin/sh
# Runs python_sdk.py against the emulator: makes a virtual environment (in $QCLOUD_PYTHON_VENV when set, to keep it),
# installs the official SDK there, starts the emulator on a free port, and stops it at the end. The binary is
# $QCLOUD_EMULATOR when set; otherwise cargo builds it.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
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
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    tencentcloud-sdk-python-cvm tencentcloud-sdk-python-vpc

if [ -z "${QCLOUD_EMULATOR:-}" ]; then
    cargo build --quiet --manifest-path "$here/../Cargo.toml" --bin qcloud-emulator
    target=$(cargo metadata --manifest-path "$here/../Cargo.toml" --format-version 1 --no-deps |
        "$venv/bin/python" -c 'import json, sys; print(json.load(sys.stdin)["target_directory"])')
    QCLOUD_EMULATOR=$target/debug/qcloud-emulator
fi

"$QCLOUD_EMULATOR" --port 0 --check-responses >"$work/emulator.txt" &
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

"$venv/bin/python" "$here/python_sdk.py"

# It has to stop cleanly, too.
kill -TERM "$emulator"
status=0
wait "$emulator" || status=$?
emulator=
if [ "$status" -ne 0 ]; then
    echo "the emulator ended with status $status" >&2
    exit 1
fi
