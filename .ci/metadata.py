"""Checks what `cargo metadata` tells about the workspace: that the crates can be published, keep to their layers and to
the minimum Rust version, and are tested with all their features."""

import json
import pathlib
import subprocess
import sys

CLIENTS = {"qcloud-cvm", "qcloud-vpc", "qcloud-clb", "qcloud-cbs", "qcloud-container"}
PROGRAMS = {"qcloud-ccm", "qcloud-csi"}
# What the programs are tried out on.
DOUBLES = {"qcloud-emulator", "apiserver-double"}

# What each published crate may depend on among the others (ARCHITECTURE.md, layers): core knows no service, a client knows
# no other client, and the emulator, as an independent witness, knows neither.
LAYERS = (
    {"qcloud-core": set(), "qcloud-emulator": set(), "apiserver-double": set()}
    | {client: {"qcloud-core"} for client in CLIENTS}
    | {program: {"qcloud-core", "qcloud-container"} for program in PROGRAMS}
)

# The adapters of the Kubernetes traits live in qcloud-container above the clients, behind a feature; the programs try
# themselves out on the doubles, where the clients make what a cluster starts from.
OPTIONAL_LAYERS = (
    LAYERS
    | {"qcloud-container": {"qcloud-core", *CLIENTS}}
    | {program: {"qcloud-core", *CLIENTS, *DOUBLES} for program in PROGRAMS}
)

# Besides these, tests may switch on features of the crate itself, and may run against the emulator.
TEST_LAYERS = {name: layer | {name, *DOUBLES} for name, layer in OPTIONAL_LAYERS.items()}

LICENSE = "MIT OR Apache-2.0"


def publishable(package):
    """The reasons why the crate is not ready for publishing."""
    folder = pathlib.Path(package["manifest_path"]).parent
    for key in ("description", "repository", "rust_version", "readme", "keywords", "categories", "authors"):
        if not package[key]:
            yield f"no {key} in Cargo.toml"
    if package["license"] != LICENSE:
        yield f"license is {package['license']}, not {LICENSE}"
    if len(package["keywords"]) > 5 or any(len(keyword) > 20 for keyword in package["keywords"]):
        yield "the registry takes at most 5 keywords of at most 20 characters"
    if len(package["categories"]) > 5:
        yield "the registry takes at most 5 categories"
    if not ((package["metadata"] or {}).get("docs") or {}).get("rs", {}).get("all-features"):
        yield "no [package.metadata.docs.rs] with all-features"
    for name in ("LICENSE-MIT", "LICENSE-APACHE"):
        if not (folder / name).is_file():
            yield f"no {name} beside Cargo.toml, so it would be missing from the archive"
    readme = folder / (package["readme"] or "README.md")
    if not readme.is_file() or len(readme.read_text().split()) < 50:
        yield "README.md is missing or says nothing"
    library = folder / "src" / "lib.rs"
    if 'include_str!("../README.md")' not in library.read_text():
        yield "src/lib.rs does not include README.md as the documentation of the crate"


def layering(package, names):
    """The dependencies on crates of this workspace that are not allowed."""
    if package["name"] not in LAYERS:
        yield "has no layer yet: add it to LAYERS in .ci/metadata.py"
        return
    for dependency in package["dependencies"]:
        layers = TEST_LAYERS if dependency["kind"] == "dev" else OPTIONAL_LAYERS if dependency["optional"] else LAYERS
        if dependency["name"] != package["name"] and dependency["name"] in names and dependency["name"] not in layers.get(package["name"], set()):
            yield f"may not depend on {dependency['name']}"


def version(text):
    """A version as numbers, to compare: "1.89" → (1, 89, 0)."""
    numbers = [int(number) for number in text.split("-")[0].split(".")]
    return tuple(numbers + [0] * (3 - len(numbers)))


def newer_than_msrv(metadata, published):
    """The dependencies of published crates, other than for their tests, that need a newer compiler than the crates promise."""
    packages = {package["id"]: package for package in metadata["packages"]}
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    msrv = min(version(package["rust_version"]) for package in published if package["rust_version"])
    seen, open_ends = set(), [package["id"] for package in published]
    while open_ends:
        node = open_ends.pop()
        if node in seen:
            continue
        seen.add(node)
        needs = packages[node]["rust_version"]
        if needs and version(needs) > msrv:
            yield f"{packages[node]['name']} {packages[node]['version']} needs Rust {needs}"
        for dependency in nodes[node]["deps"]:
            if any(kind["kind"] != "dev" for kind in dependency["dep_kinds"]):
                open_ends.append(dependency["pkg"])


def untested(metadata, members):
    """The features that no member of the workspace switches on, whose tests `cargo test --workspace` would leave out."""
    switched_on = {node["id"]: set(node["features"]) for node in metadata["resolve"]["nodes"]}
    for package in members:
        for feature in sorted(set(package["features"]) - switched_on[package["id"]]):
            yield f"{package['name']}: a test of the workspace leaves the feature {feature} out; switch it on in a dev-dependency"


def cargo_metadata(*arguments):
    command = ["cargo", "metadata", "--locked", "--format-version", "1", *arguments]
    result = subprocess.run(command, stdout=subprocess.PIPE)
    if result.returncode != 0:
        sys.exit(result.returncode)
    return json.loads(result.stdout)


def main():
    metadata = cargo_metadata()
    members = [package for package in metadata["packages"] if package["id"] in metadata["workspace_members"]]
    published = [package for package in members if package["publish"] != []]
    names = {package["name"] for package in members}
    faults = []
    for package in published:
        faults += [f"{package['name']}: {fault}" for fault in [*publishable(package), *layering(package, names)]]
    faults += untested(metadata, members)
    faults += newer_than_msrv(cargo_metadata("--all-features"), published)
    print("\n".join(faults) or f"{len(published)} crates to publish, {len(members)} in all: metadata, layers, minimum Rust version and tested features hold")
    sys.exit(bool(faults))


main()
