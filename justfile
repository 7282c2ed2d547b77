# The checks of the project by name; `bash .ci/run` runs them all in one go, without just.

# List the recipes.
_default:
    @{{ just_executable() }} --list

# Is everything formatted?
fmt:
    cargo fmt --all --check

# Lints of all targets and features, warnings denied.
clippy:
    cargo clippy --workspace --all-targets --all-features -- -D warnings

# The README's test command, then the tests behind features that it leaves out.
test:
    cargo test --workspace
    cargo test -p qcloud-container --all-features

# The documentation as docs.rs builds it, warnings denied.
docs $RUSTDOCFLAGS="-D warnings":
    cargo doc --workspace --all-features --no-deps

# Write the generated code anew from models/.
generate:
    cargo run -p codegen

# Is the generated code what models/ make of it?
generated:
    cargo run -p codegen -- --check

# Each feature of each crate alone, and each crate with none; or only those of the crates named.
features *crates:
    python3 .ci/features.py {{ crates }}

# Manifests, layers and minimum Rust version.
metadata:
    python3 .ci/metadata.py

# Licences, bans, duplicates and sources of the dependencies (needs cargo-deny).
deny:
    cargo deny check -D unmatched-skip -D unnecessary-skip bans licenses sources

# Generated lines and the CPU seconds of checking the largest client.
budget:
    python3 .ci/build_budget.py

# Pack each published crate and build it from its archive.
package:
    cargo package --allow-dirty --workspace --exclude benches --exclude codegen --exclude conformance --exclude examples

# The official Python SDK, tccli and the Node SDK against the emulator.
official-clients:
    bash qcloud-emulator/tests/official_clients/run.sh

# The examples, and the programs on the emulator.
examples:
    cargo run --example tour
    cargo run --example provider
    cargo run --example provider -- --cloud memory
    cargo run -p qcloud-ccm -- --emulator --demo
    cargo run -p qcloud-csi -- --emulator --demo

# The benchmarks; results and how to read them are in benches/README.md.
bench:
    cargo bench --workspace --bench '*'

# What a program on the SDK costs to build; with --with-aws, beside one on aws-sdk-ec2 (minutes, 8 GiB).
bench-build *arguments:
    bash benches/build/measure.sh {{ arguments }}

# Everything, as CI runs it.
ci:
    bash .ci/run
