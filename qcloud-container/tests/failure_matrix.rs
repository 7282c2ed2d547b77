//! Which test stands for which cell of the failure matrix: what goes wrong, and for which adapter.
//!
//! | row | what goes wrong |
//! |---|---|
//! | 1 | a burst of throttling |
//! | 2 | a timeout after the call was carried out |
//! | 3 | the process ends between the write to the cloud and the patch of the object |
//! | 4 | a client token is replayed, or spent |
//! | 5 | a task fails or hangs |
//! | 6 | a part of a batch is refused; a poisoned id |
//! | 7 | pages shift, answers are cut short |
//! | 8 | a read that lags behind a write |
//! | 9 | someone deletes it |
//! | 10 | someone else has the same port, name or network |
//! | 11 | a quota, the stock or a subnet is used up |
//! | 12 | it is protected, prepaid or busy with traffic |
//! | 13 | a balancer without an IPv4 address |
//! | 14 | each state of an instance |
//! | 15 | a node made again: same name and other address, or the reverse |
//! | 16 | the Service changes while it is worked on |
//! | 17 | two at once |
//! | 18 | expired credentials, missing permissions, a wrong clock |
//! | 19 | the leader is lost in the middle |
//! | 20 | zones, encryption, sharing, sizes and snapshots that do not go together |
//! | 21 | networks of pods that do not fit the table |
//!
//! Crashes at every single call of every operation are in `crashes.rs` of either suite, and in row 3 of routes.

use std::collections::BTreeSet;

/// The adapters, and the files that hold their tests.
const SUITES: [(&str, &[&str]); 4] = [
    ("balancers", &[include_str!("clb_load_balancers/failures.rs"), include_str!("clb_load_balancers/crashes.rs")]),
    ("instances", &[include_str!("provider_nodes/instances_matrix.rs")]),
    ("routes", &[include_str!("provider_nodes/routes_matrix.rs"), include_str!("provider_nodes/routes.rs")]),
    (
        "volumes",
        &[
            include_str!("volumes_on_cbs/faults.rs"),
            include_str!("volumes_on_cbs/crashes.rs"),
            include_str!("volumes_on_cbs/batches.rs"),
        ],
    ),
];

/// The rows that concern each adapter.
const ROWS: [(&str, &[u8]); 4] = [
    ("balancers", &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19]),
    ("instances", &[1, 6, 7, 8, 9, 10, 14, 15, 18]),
    ("routes", &[1, 2, 3, 6, 8, 9, 10, 11, 14, 15, 17, 18, 19, 21]),
    ("volumes", &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14, 15, 17, 18, 20]),
];

/// The rows that the names of a suite's tests begin with: `row_7_…`, or `row_14_and_15_…`.
fn rows(sources: &[&str]) -> BTreeSet<u8> {
    let names = sources.iter().flat_map(|source| source.split("async fn ").skip(1));
    let numbers = |name: &str| {
        let words = name.strip_prefix("row_").unwrap_or_default().split('_').take(3);
        words
            .map_while(|word| if word == "and" { Some(None) } else { Some(Some(word.parse().ok()?)) })
            .flatten()
            .collect::<Vec<u8>>()
    };
    names.flat_map(numbers).collect()
}

#[test]
fn every_cell_has_its_test() {
    for ((adapter, sources), (_, wanted)) in SUITES.into_iter().zip(ROWS) {
        let present = rows(sources);
        let missing: Vec<_> = wanted.iter().filter(|row| !present.contains(row)).collect();
        assert!(missing.is_empty(), "{adapter}: no test for the rows {missing:?}");
        let unknown: Vec<_> = present.iter().filter(|row| !wanted.contains(row)).collect();
        assert!(unknown.is_empty(), "{adapter}: tests for rows that do not concern it: {unknown:?}");
    }
}
