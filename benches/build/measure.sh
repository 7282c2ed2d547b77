#!/usr/bin/env bash
# What a first program on the SDK costs to build: wall and CPU seconds and the largest process (compiler or linker) of clean
# debug and release builds, with every dependency, in cargo's default profiles, the way a newcomer gets them.
#
#   bash benches/build/measure.sh [--with-aws] [--debug-only]
#
# --with-aws adds the same program on aws-sdk-ec2 (minutes and 8 GiB per build) and prints ours as ratios to it. Run it by
# hand on a quiet machine; results are in benches/README.md.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)

aws_version="=1.274.0"
profiles=(debug release)
programs=(cvm all-five)
for argument in "$@"; do
    case "$argument" in
        --with-aws) programs+=(aws-sdk-ec2) ;;
        --debug-only) profiles=(debug) ;;
        *) sed -n '2,8s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2 ;;
    esac
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
unset CARGO_TARGET_DIR CARGO_INCREMENTAL RUSTFLAGS RUSTC_WRAPPER
export CARGO_TERM_COLOR=never

# program NAME DEPENDENCIES: a crate of its own with src/main.rs from standard input.
program() {
    mkdir -p "$work/$1/src"
    cat > "$work/$1/src/main.rs"
    cat > "$work/$1/Cargo.toml" <<TOML
[package]
name = "hello"
version = "0.0.0"
edition = "2024"

[workspace]

[dependencies]
tokio = { version = "1", features = ["macros", "rt-multi-thread"] }
$2
TOML
}

ours() { printf 'qcloud-%s = { path = "%s/qcloud-%s" }\n' "$1" "$root" "$1"; }

program cvm "$(ours core; ours cvm)" <<'RUST'
use qcloud_cvm::instance::DescribeInstances;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let config = qcloud_core::Config::load().await?;
    let cvm = qcloud_cvm::Client::new(&config);
    for instance in cvm.describe_instances(DescribeInstances::new()).await?.instance_set {
        println!("{instance:?}");
    }
    Ok(())
}
RUST

program all-five "$(for crate in core cvm vpc clb cbs container; do ours "$crate"; done)" <<'RUST'
use qcloud_cbs::disk::DescribeDisks;
use qcloud_clb::load_balancer::DescribeLoadBalancers;
use qcloud_container::v20180525::{self as tke, cluster::DescribeClusters};
use qcloud_cvm::instance::DescribeInstances;
use qcloud_vpc::vpc::DescribeVpcs;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let config = qcloud_core::Config::load().await?;
    println!("{:?}", qcloud_cvm::Client::new(&config).describe_instances(DescribeInstances::new()).await?);
    println!("{:?}", qcloud_vpc::Client::new(&config).describe_vpcs(DescribeVpcs::new()).await?);
    println!("{:?}", qcloud_clb::Client::new(&config).describe_load_balancers(DescribeLoadBalancers::new()).await?);
    println!("{:?}", qcloud_cbs::Client::new(&config).describe_disks(DescribeDisks::new()).await?);
    println!("{:?}", tke::Client::new(&config).describe_clusters(DescribeClusters::new()).await?);
    Ok(())
}
RUST

program aws-sdk-ec2 "aws-config = \"1\"
aws-sdk-ec2 = \"$aws_version\"" <<'RUST'
#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let config = aws_config::load_from_env().await;
    let ec2 = aws_sdk_ec2::Client::new(&config);
    for reservation in ec2.describe_instances().send().await?.reservations() {
        println!("{:?}", reservation.instances());
    }
    Ok(())
}
RUST

# The versions that the workspace is tested with.
cp "$root/Cargo.lock" "$work/cvm/"
cp "$root/Cargo.lock" "$work/all-five/"

rustc --version
printf '%s cores, %s\n\n' "$(nproc)" "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | sed -n 1p)"
for name in "${programs[@]}"; do
    (cd "$work/$name" && cargo fetch --quiet)
done
printf '%-12s %-8s %8s %8s %12s\n' program build 'wall s' 'CPU s' 'largest MiB'
for profile in "${profiles[@]}"; do
    for name in "${programs[@]}"; do
        flags=()
        [ "$profile" = debug ] || flags=(--release)
        costs=$(cd "$work/$name" && python3 "$here/cost.py" cargo build --offline --quiet "${flags[@]}")
        rm -rf "$work/$name/target"
        read -r wall cpu largest <<<"$costs"
        printf '%-12s %-8s %8.1f %8.1f %12.0f\n' "$name" "$profile" "$wall" "$cpu" "$largest"
        echo "$name $profile $costs" >> "$work/costs"
    done
done

printf '\nratios (wall, CPU, memory)\n'
awk '{ costs[$2, $1] = $3 " " $4 " " $5; profiles[$2] }
     function ratio(profile, name, base,    a, b) {
         if (!((profile, name) in costs) || !((profile, base) in costs)) return
         split(costs[profile, name], a, " "); split(costs[profile, base], b, " ")
         printf "%-8s %-12s to %-12s %.2f  %.2f  %.2f\n", profile, name, base, a[1] / b[1], a[2] / b[2], a[3] / b[3]
     }
     END {
         for (profile in profiles) {
             ratio(profile, "all-five", "cvm")
             ratio(profile, "cvm", "aws-sdk-ec2")
             ratio(profile, "all-five", "aws-sdk-ec2")
         }
     }' "$work/costs"
