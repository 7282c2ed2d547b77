//! Enums and error codes.

use crate::plan::{Enum, ErrorCode};

use super::text::Text;

/// An open enum, through the core's macro.
pub(crate) fn emit_enum(text: &mut Text, item: &Enum) {
    text.blank();
    text.line(0, if item.is_int { "qcloud_core::open_int_enum! {" } else { "qcloud_core::open_enum! {" });
    text.doc(1, &item.doc);
    text.line(1, format!("pub enum {} {{", item.name));
    for variant in &item.variants {
        text.doc(2, &variant.doc);
        text.line(2, format!("{} = {},", variant.name, variant.literal));
    }
    text.line(1, "}");
    text.line(0, "}");
}

/// The constants of `error_code.rs`.
pub(crate) fn emit_error_codes(text: &mut Text, codes: &[ErrorCode]) {
    text.blank();
    for code in codes {
        text.line(0, format!("/// The code `{}`.", code.wire));
        text.line(0, format!("pub const {}: &str = {:?};", code.constant, code.wire));
    }
}
