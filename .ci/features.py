"""Builds every crate with each of its features alone and with none, warnings denied.

In a build of the whole workspace the crates switch on features for each other, and hide what one of them lacks.
One feature of every crate is built per round, so that both cores have work. Features that switch on something in another
crate get rounds of their own, because that crate would be shared within the round. `python3 .ci/features.py qcloud-cvm`
builds only that crate's.
"""

import itertools
import json
import subprocess
import sys
import time


def packages(only):
    """The crates to build, each with the list of its features, the ones that reach into another crate apart."""
    metadata = json.loads(
        subprocess.run(
            ["cargo", "metadata", "--locked", "--no-deps", "--format-version", "1"], check=True, stdout=subprocess.PIPE
        ).stdout
    )
    for package in sorted(metadata["packages"], key=lambda package: package["name"]):
        name = package["name"]
        if not name.startswith("qcloud-") or (only and name not in only):
            continue
        alone = [
            feature
            for feature in sorted(package["features"])
            if feature != "default"
        ]
        reaching = [
            feature
            for feature in alone
            if any("/" in part or part.startswith("dep:qcloud-") for part in closure(package["features"], feature))
        ]
        yield name, [feature for feature in alone if feature not in reaching], reaching


def closure(features, feature):
    """Everything that `feature` switches on, directly or through other features of the crate."""
    found, open_ends = set(), [feature]
    while open_ends:
        for part in features.get(open_ends.pop(), []):
            if part not in found:
                found.add(part)
                open_ends.append(part)
    return found


def rounds(only):
    """Lists of (crate, feature or None) to build together."""
    crates = list(packages(only))
    if only and len(crates) != len(set(only)):
        sys.exit(f"no such crate among {', '.join(only)}")
    # qcloud-core is below the others: its own features would be switched on for them, so it builds by itself.
    for name, own, reaching in crates:
        if name == "qcloud-core":
            yield from ([(name, feature)] for feature in [None, *own, *reaching])
    others = [crate for crate in crates if crate[0] != "qcloud-core"]
    columns = [[(name, feature) for feature in [None, *own]] for name, own, _ in others]
    for row in itertools.zip_longest(*columns):
        yield [cell for cell in row if cell]
    for name, _, reaching in others:
        yield from ([(name, feature)] for feature in reaching)


def builds(only):
    """What to build: a line to print, the arguments for cargo, and how many crates or features it covers."""
    for cells in rounds(only):
        names = [part for name, _ in cells for part in ("-p", name)]
        features = ",".join(f"{name}/{feature}" for name, feature in cells if feature)
        headline = "  ".join(f"{name}:{feature or '(none)'}" for name, feature in cells)
        yield headline, [*names, "--no-default-features", "--features", features], len(cells)


def main():
    total, failed = 0, []
    for headline, arguments, count in builds(sys.argv[1:]):
        print(headline, end="  ", flush=True)
        start = time.monotonic()
        # check takes two thirds of the time of clippy, which has seen everything in a step of its own. Nothing but warnings and
        # errors of these crates is printed: those of dependencies are capped.
        command = ["cargo", "check", "--locked", "--quiet", *arguments]
        result = subprocess.run(command, stderr=subprocess.PIPE, text=True)
        print(f"{time.monotonic() - start:.1f} s\n{result.stderr}".rstrip(), flush=True)
        if result.returncode != 0 or result.stderr:
            failed.append(" ".join(command))
        total += count
    if failed:
        sys.exit("failed:\n" + "\n".join(failed))
    print(f"{total} crates and features built alone")


main()
