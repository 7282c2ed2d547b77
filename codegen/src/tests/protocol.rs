//! Rust for gRPC protocols.

use std::fs;
use std::path::PathBuf;

use crate::problem::Problem;
use crate::proto::generate;

const HEADER: &str = "syntax = \"proto3\";\npackage lamp.v1;\nimport \"google/protobuf/descriptor.proto\";\n\
                      extend google.protobuf.FieldOptions { bool csi_secret = 1059; }\n";

/// What becomes of a file with these messages.
fn of(name: &str, messages: &str) -> Result<(String, String), Problem> {
    let root: PathBuf = std::env::temp_dir().join(format!("codegen-{}-{name}", std::process::id()));
    fs::create_dir_all(root.join("proto")).unwrap();
    fs::write(root.join("proto/lamp.proto"), format!("{HEADER}{messages}")).unwrap();
    let generated = generate(&root, "proto", "lamp.proto");
    fs::remove_dir_all(root).unwrap();
    generated
}

#[test]
fn secrets_stay_out_of_debug() {
    let messages = "message Login { string name = 1; map<string, string> secrets = 2 [(csi_secret) = true]; }\n\
                    message Plain { string name = 1; map<string, string> labels = 2; }";
    let (file, text) = of("secrets", messages).unwrap();
    assert_eq!(file, "lamp.v1.rs");
    let by_hand = text.split_once("impl ::core::fmt::Debug for Login").unwrap().1;
    assert!(by_hand.contains(".field(\"name\", &self.name)"), "{by_hand}");
    assert!(!by_hand.contains("&self.secrets)"), "{by_hand}");
    assert!(!text.contains("Debug for Plain"), "others have the derived one");
}

#[test]
fn a_secret_that_can_not_be_kept_is_refused() {
    let messages = "message Outer { message Inner { string key = 1 [(csi_secret) = true]; } Inner inner = 1; }";
    let problem = of("nested", messages).unwrap_err();
    assert_eq!((&*problem.file, &*problem.key), ("proto/lamp.proto", "lamp.v1.Outer.Inner"));
}

#[test]
fn what_is_no_proto_is_named() {
    let problem = of("broken", "message {").unwrap_err();
    assert_eq!(problem.file, "proto/lamp.proto");
}
