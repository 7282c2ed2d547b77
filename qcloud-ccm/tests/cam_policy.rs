//! The CAM policy to deploy with permits what the adapters need, and no more.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::collections::BTreeSet;

use serde_json::Value;

/// The actions of a policy.
fn actions(policy: &str) -> BTreeSet<String> {
    let policy: Value = serde_json::from_str(policy).unwrap();
    let statements = policy["statement"].as_array().unwrap();
    let actions = statements.iter().flat_map(|statement| statement["action"].as_array().unwrap());
    actions.map(|action| action.as_str().unwrap().to_owned()).collect()
}

/// The actions of all policies on an adapter's page.
fn of_page(page: &str) -> BTreeSet<String> {
    let policies = page.split("```json\n").skip(1).filter_map(|rest| rest.split("```").next());
    // The other examples are annotations.
    policies.filter(|json| json.contains("\"statement\"")).flat_map(actions).collect()
}

#[test]
fn it_is_the_sum_of_the_adapters_policies() {
    let pages = [
        include_str!("../../qcloud-container/docs/instances.md"),
        include_str!("../../qcloud-container/docs/routes.md"),
        include_str!("../../qcloud-container/docs/load_balancers.md"),
    ];
    let needed: BTreeSet<String> = pages.into_iter().flat_map(of_page).collect();
    assert!(needed.len() > 30, "{needed:?}");
    assert_eq!(actions(include_str!("../deploy/cam-policy.json")), needed);
}
