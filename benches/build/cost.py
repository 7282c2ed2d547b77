"""Runs a command and prints what it cost: wall seconds, CPU seconds (user and system, of it and all its children), and
MiB of its largest process."""

import os
import sys
import time

start = time.monotonic()
_, status, used = os.wait4(os.spawnvp(os.P_NOWAIT, sys.argv[1], sys.argv[1:]), 0)
wall = time.monotonic() - start
if status != 0:
    sys.exit(f"failed: {' '.join(sys.argv[1:])}")
# A peak in KiB: of the command itself or of one of its children, whichever was larger.
print(f"{wall:.2f} {used.ru_utime + used.ru_stime:.2f} {used.ru_maxrss / 1024:.1f}")
