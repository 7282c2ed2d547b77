//! Actions: the client's methods and the traits of the requests.

use crate::overrides::Effect;
use crate::plan::{Cursor, Kind, Operation, Pages, Total};

use super::text::Text;

/// The client's method.
pub(crate) fn emit_method(text: &mut Text, operation: &Operation, explorer: &str) {
    let request = &operation.request.name;
    text.doc(1, &operation.doc);
    text.line(1, "///");
    text.line(1, format!("/// [API page]({explorer}&Action={})", operation.wire));
    text.deprecated(1, operation.deprecated);
    text.line(1, format!("pub fn {}(&self, request: {request}) -> Call<'_, {request}> {{", operation.method));
    text.line(2, "self.call(request)");
    text.line(1, "}");
}

/// `impl Operation`, and `impl Paginated` where it pages.
pub(crate) fn emit_traits(text: &mut Text, operation: &Operation) {
    let output = operation.response.as_ref().map_or("Ack", |response| response.name.as_str());
    let effect = match operation.effect {
        Effect::Read => "Read",
        Effect::Token => "Token",
        Effect::Write => "Write",
    };
    text.blank();
    text.line(0, format!("impl Operation for {} {{", operation.request.name));
    text.line(1, format!("type Output = {output};"));
    text.line(
        1,
        format!("fn action(&self) -> Action {{ Action::new(SERVICE, {:?}, Effect::{effect}) }}", operation.wire),
    );
    if let Some(field) = &operation.client_token {
        text.line(
            1,
            format!("fn client_token(&mut self) -> Option<&mut Option<String>> {{ Some(&mut self.{field}) }}"),
        );
    }
    text.line(0, "}");
    if let Some(pages) = &operation.pages {
        emit_pages(text, &operation.request.name, pages);
    }
}

fn emit_pages(text: &mut Text, request: &str, pages: &Pages) {
    text.blank();
    text.line(0, format!("impl Paginated for {request} {{"));
    text.line(1, format!("type Item = {};", pages.item.rust()));
    text.line(1, format!("const LARGEST_PAGE: u64 = {};", pages.largest));
    let cursor = match &pages.cursor {
        Cursor::Offset { offset, limit } => {
            format!("Offset {{ offset: &mut self.{offset}, limit: &mut self.{limit} }}")
        }
        Cursor::Token { token, limit, .. } => format!("Token {{ token: &mut self.{token}, limit: &mut self.{limit} }}"),
    };
    text.line(1, format!("fn cursor(&mut self) -> PageCursor<'_> {{ PageCursor::{cursor} }}"));
    text.line(1, format!("fn count(output: &Self::Output) -> usize {{ output.{}.len() }}", pages.items));
    let (parameter, total) = match &pages.total {
        Some(total) => ("output", self::total(total)),
        None => ("_output", "None".to_owned()),
    };
    text.line(1, format!("fn total({parameter}: &Self::Output) -> Option<u64> {{ {total} }}"));
    if let Cursor::Token { next, next_is_option, .. } = &pages.cursor {
        let next = if *next_is_option { format!("output.{next}.as_deref()") } else { format!("Some(&output.{next})") };
        text.line(1, format!("fn next_token(output: &Self::Output) -> Option<&str> {{ {next} }}"));
    }
    text.line(1, format!("fn items(output: Self::Output) -> Vec<Self::Item> {{ output.{} }}", pages.items));
    text.line(0, "}");
}

fn total(total: &Total) -> String {
    let field = format!("output.{}", total.field);
    match (&total.kind, total.is_option) {
        (Kind::U64, false) => format!("Some({field})"),
        (Kind::U64, true) => field,
        (Kind::String, false) => format!("{field}.parse().ok()"),
        (Kind::String, true) => format!("{field}.as_ref().and_then(|total| total.parse().ok())"),
        (_, false) => format!("u64::try_from({field}).ok()"),
        (_, true) => format!("{field}.and_then(|total| u64::try_from(total).ok())"),
    }
}
