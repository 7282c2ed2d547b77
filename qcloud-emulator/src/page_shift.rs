//! Lists that change between two pages: what a caller sees who is not the only one at work.

use serde_json::Value;

/// Moves the page that a request asks for, as if so many items that earlier pages showed had gone since (positive) or
/// come in front of them (negative). Gives by how many the list has shrunk; a first page stays where it is.
pub(crate) fn shift(parameters: &mut Value, by: i64) -> i64 {
    let Some(offset) = parameters.get_mut("Offset") else { return 0 };
    let moved = |at: i64| at.saturating_add(by).max(0);
    match offset {
        Value::Number(number) => match number.as_i64() {
            Some(at) if at > 0 => *offset = moved(at).into(),
            _ => return 0,
        },
        // Some actions write numbers as strings.
        Value::String(text) => match text.parse::<i64>() {
            Ok(at) if at > 0 => *offset = moved(at).to_string().into(),
            _ => return 0,
        },
        _ => return 0,
    }
    by
}

/// Makes the total of an answer fit the shift.
pub(crate) fn recount(answer: &mut Value, gone: i64) {
    if gone != 0
        && let Some(total) = answer.get_mut("TotalCount")
        && let Some(count) = total.as_i64()
    {
        *total = count.saturating_sub(gone).max(0).into();
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_later_pages_move() {
        for (before, by, after, shrunk) in [
            (json!({"Offset": 20}), 1, json!({"Offset": 21}), 1),
            (json!({"Offset": "20"}), -1, json!({"Offset": "19"}), -1),
            (json!({"Offset": 1}), -5, json!({"Offset": 0}), -5),
            (json!({"Offset": 0}), 1, json!({"Offset": 0}), 0),
            (json!({"Offset": "x"}), 1, json!({"Offset": "x"}), 0),
            (json!({}), 1, json!({}), 0),
        ] {
            let mut parameters = before.clone();
            assert_eq!((shift(&mut parameters, by), parameters), (shrunk, after), "{before} by {by}");
        }
        let mut answer = json!({"TotalCount": 40});
        recount(&mut answer, 1);
        assert_eq!(answer["TotalCount"], 39);
    }
}
