# The checks of the project by name; `bash .ci/run` runs them all in one go, without just.

# List the recipes.
_default:
    @{{ just_executable() }} --list

# Is everything formatted?
fmt:
    bash .ci/run fmt

# Lints of all targets and features, warnings denied.
clippy:
    bash .ci/run clippy

# The README's test command: all tests, those behind features too.
test:
    bash .ci/run tests

# The documentation as docs.rs builds it, warnings denied.
docs:
    bash .ci/run docs

# Write the generated code anew from models/.
generate:
    cargo run -p codegen

# Is the generated code what models/ make of it?
generated:
    bash .ci/run generate

# Each feature of each crate alone, and each crate with none; or only those of the crates named.
features *crates:
    python3 .ci/features.py {{ crates }}

# Manifests, layers and minimum Rust version.
metadata:
    bash .ci/run metadata

# Licences, bans, duplicates and sources of the dependencies (needs cargo-deny).
deny:
    bash .ci/run deny

# Generated lines and the CPU seconds of checking the largest client.
budget:
    bash .ci/run budget

# Pack each published crate and build it from its archive.
package:
    bash .ci/run package

# The official Python SDK, tccli and the Node SDK against the emulator.
official-clients:
    bash .ci/run official_clients

# The examples, and the programs on the emulator.
examples:
    bash .ci/run examples

# The benchmarks; results and how to read them are in benches/README.md.
bench:
    cargo bench --workspace --bench '*'

# What a program on the SDK costs to build; with --with-aws, beside one on aws-sdk-ec2 (minutes, 8 GiB).
bench-build *arguments:
    bash benches/build/measure.sh {{ arguments }}

# Everything, as CI runs it.
ci:
    bash .ci/run
