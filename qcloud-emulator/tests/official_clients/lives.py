"""Runs a life of each service by each official client, against the emulator that TENCENTCLOUD_ENDPOINT names.

Takes the keys from TENCENTCLOUD_SECRET_ID and TENCENTCLOUD_SECRET_KEY, and the folder of the Node packages from
NODE_MODULES; without it, the Node client is left out. Prints a line for each step that fails, how long each client took,
and a summary at the end. Arguments name the services to try; all by default.
"""

import concurrent.futures
import os
import sys
import tempfile
import time
import traceback
import warnings

from cbs import Cbs
from clb import Clb
from clients import NodeSdk, Place, PythonSdk, Tccli
from cvm import Cvm
from sts import Sts
from tke import Tke
from vpc import Vpc

LIVES = {"cvm": Cvm, "vpc": Vpc, "clb": Clb, "cbs": Cbs, "tke": Tke, "sts": Sts}
# Most of tccli's time is spent on starting it.
AT_ONCE = max(2, os.cpu_count() or 2)


def live(life):
    """How many steps passed and failed. Later steps build on earlier ones, so the first that fails is the last."""
    steps = [step for step in life.steps if not (life.client.slow and step in life.long)]
    for passed, step in enumerate(steps):
        try:
            getattr(life, step)()
        except Exception:
            print(f"failed: {life.client.name} {life.service} {step}\n{traceback.format_exc()}", flush=True)
            return passed, 1
    return len(steps), 0


def main():
    # A member that the SDK does not know, in a request or in a response, is a failure.
    warnings.filterwarnings("error", message=".*fields are useless")
    names = ["TENCENTCLOUD_ENDPOINT", "TENCENTCLOUD_REGION", "TENCENTCLOUD_SECRET_ID", "TENCENTCLOUD_SECRET_KEY"]
    if not all(os.environ.get(name) for name in names):
        sys.exit("set " + ", ".join(names))
    place = Place(*(os.environ[name] for name in names))
    wanted = sys.argv[1:] or list(LIVES)
    passed = failed = 0
    with tempfile.TemporaryDirectory() as home, concurrent.futures.ThreadPoolExecutor(AT_ONCE) as threads:
        clients = [PythonSdk(place, "POST"), PythonSdk(place, "GET"), Tccli(place, home)]
        if os.environ.get("NODE_MODULES"):
            clients.append(NodeSdk(place, os.environ["NODE_MODULES"]))
        for client in clients:
            began = time.monotonic()
            results = list(threads.map(live, [LIVES[service](client) for service in wanted]))
            client.close()
            good, bad = (sum(counts) for counts in zip(*results))
            took = f"{next(client.calls)} calls in {time.monotonic() - began:.1f} s"
            print(f"{client.name}: {good} steps passed, {bad} failed, {took}", flush=True)
            passed, failed = passed + good, failed + bad
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
