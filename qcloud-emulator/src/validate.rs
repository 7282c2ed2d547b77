//! Requests and responses, held against the model.

use serde_json::{Map, Number, Value};

use crate::error::ApiError;
use crate::model::{Kind, Member, Model};

/// How the parameters were written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// A JSON body: types must fit exactly.
    Json,
    /// A flattened query: every leaf is a string, and lists are objects with numbers for keys.
    Query,
}

/// Members that the model calls required but that depend on what the object is used for. They are part of objects that
/// are sent and received; the actions that take them check what they need.
const REQUIRED_BY_THE_ACTION: &[(&str, &str)] = &[
    // IPv6 routes have another destination; ReplaceRoutes and DeleteRoutes name a route by its id alone.
    ("Route", "DestinationCidrBlock"),
    ("Route", "GatewayType"),
    ("Route", "GatewayId"),
    // Nodes show all of these; whoever adds one may leave them out.
    ("InstanceAdvancedSettings", "DesiredPodNumber"),
    ("InstanceAdvancedSettings", "GPUArgs"),
    ("InstanceAdvancedSettings", "PreStartUserScript"),
    ("InstanceAdvancedSettings", "Taints"),
];

/// Members of answers that the model calls never null, and that the cloud sends as null all the same.
const NULL_IN_ANSWERS: &[(&str, &str)] = &[
    // Postpaid instances have no end.
    ("Instance", "ExpiredTime"),
    // Listeners have targets of their own, or rules that have them.
    ("ListenerBackend", "Rules"),
    ("ListenerBackend", "Targets"),
    // An elastic IP that is bound to nothing.
    ("Address", "NetworkInterfaceId"),
    ("Address", "PrivateAddressIp"),
];

/// Checks the parameters of an action, leaves out those that are null and gives all others the type that the model
/// asks for.
pub(crate) fn request(
    model: &Model,
    action: &str,
    parameters: Map<String, Value>,
    form: Form,
) -> Result<Value, ApiError> {
    let Some(input) = model.input(action) else { return Ok(Value::Object(parameters)) };
    object(model, input, parameters, form, "")
}

fn object(model: &Model, name: &str, mut given: Map<String, Value>, form: Form, path: &str) -> Result<Value, ApiError> {
    let members = model.members(name);
    let unknown = given.keys().find(|key| !members.iter().any(|member| member.name == **key));
    if let Some(key) = unknown {
        return Err(unknown_parameter(members, &join(path, key)));
    }
    let mut checked = Map::new();
    for member in members {
        let path = join(path, &member.name);
        match given.remove(&member.name) {
            None | Some(Value::Null) => {
                if member.required && !REQUIRED_BY_THE_ACTION.contains(&(name, member.name.as_str())) {
                    return Err(ApiError::missing(&path));
                }
            }
            Some(value) => {
                checked.insert(member.name.clone(), self::value(model, &member.kind, value, form, &path)?);
            }
        }
    }
    Ok(Value::Object(checked))
}

fn value(model: &Model, kind: &Kind, given: Value, form: Form, path: &str) -> Result<Value, ApiError> {
    let fits = match (kind, &given) {
        (Kind::Text, Value::String(_)) | (Kind::Number, Value::Number(_)) | (Kind::Bool, Value::Bool(_)) => true,
        (Kind::Integer, Value::Number(number)) => number.is_i64(),
        // Nothing is counted beyond the signed range, so that handlers can read every number as an `i64`.
        (Kind::Natural, Value::Number(number)) => number.as_i64().is_some_and(|number| number >= 0),
        _ => false,
    };
    if fits {
        return Ok(given);
    }
    match (kind, given) {
        (Kind::Object(name), Value::Object(members)) => object(model, name, members, form, path),
        (Kind::List(element), Value::Array(items)) => {
            let items = items.into_iter().enumerate();
            items.map(|(place, item)| value(model, element, item, form, &format!("{path}.{place}"))).collect()
        }
        (Kind::List(element), Value::Object(numbered)) if form == Form::Query => {
            let mut items = Vec::new();
            for (key, item) in numbered {
                let Ok(place) = key.parse::<u32>() else {
                    let message = format!("The parameter `{path}` is a list: write `{path}.0`, not `{path}.{key}`.");
                    return Err(ApiError::new("InvalidParameter", message));
                };
                items.push((place, value(model, element, item, form, &format!("{path}.{place}"))?));
            }
            items.sort_by_key(|(place, _)| *place);
            Ok(items.into_iter().map(|(_, item)| item).collect())
        }
        (kind, Value::String(text)) if form == Form::Query => {
            scalar_from_text(kind, &text).ok_or_else(|| wrong_type(path, kind, &Value::String(text)))
        }
        (kind, other) => Err(wrong_type(path, kind, &other)),
    }
}

fn scalar_from_text(kind: &Kind, text: &str) -> Option<Value> {
    match kind {
        Kind::Integer => text.parse::<i64>().ok().map(Value::from),
        Kind::Natural => text.parse::<i64>().ok().filter(|number| *number >= 0).map(Value::from),
        Kind::Number => text.parse::<f64>().ok().and_then(Number::from_f64).map(Value::Number),
        // Python writes True and False.
        Kind::Bool => match text {
            "true" | "True" | "1" => Some(Value::Bool(true)),
            "false" | "False" | "0" => Some(Value::Bool(false)),
            _ => None,
        },
        Kind::Text | Kind::Object(_) | Kind::List(_) => None,
    }
}

fn wrong_type(path: &str, kind: &Kind, given: &Value) -> ApiError {
    let given = match given {
        Value::Null => "null".to_owned(),
        Value::Bool(_) | Value::Number(_) => format!("`{given}`"),
        Value::String(text) if text.chars().count() <= 40 => format!("the string `{text}`"),
        Value::String(_) => "a string".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    };
    let message = format!("The parameter `{path}` must be {}, but the request gives {given}.", kind.describe());
    ApiError::new("InvalidParameter", message)
}

fn unknown_parameter(members: &[Member], path: &str) -> ApiError {
    let (parent, key) = path.rsplit_once('.').unwrap_or(("", path));
    let meant = members.iter().find(|member| {
        let name = member.name.as_str();
        name.eq_ignore_ascii_case(key) || name.strip_suffix('s') == Some(key) || key.strip_suffix('s') == Some(name)
    });
    let guess = meant.map(|member| format!(" Did you mean `{}`?", join(parent, &member.name))).unwrap_or_default();
    ApiError::new("UnknownParameter", format!("The parameter `{path}` is not recognized.{guess}"))
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

/// Checks an answer, its `RequestId` left out; the error says what does not fit, and where.
pub(crate) fn response(model: &Model, action: &str, answer: &Value) -> Result<(), String> {
    let Some(output) = model.output(action) else { return Ok(()) };
    check_object(model, output, answer, action)
}

fn check_object(model: &Model, name: &str, answer: &Value, path: &str) -> Result<(), String> {
    let Some(given) = answer.as_object() else { return Err(format!("{path} is not an object")) };
    let members = model.members(name);
    if let Some(key) = given.keys().find(|key| !members.iter().any(|member| member.name == **key)) {
        return Err(format!("{path}.{key} is not in the model"));
    }
    for member in members {
        let path = join(path, &member.name);
        match given.get(&member.name) {
            None if member.always => return Err(format!("{path} is always there in the model")),
            Some(Value::Null)
                if member.always && !member.nullable && !NULL_IN_ANSWERS.contains(&(name, member.name.as_str())) =>
            {
                return Err(format!("{path} is never null"));
            }
            None | Some(Value::Null) => {}
            Some(value) => check_value(model, &member.kind, value, &path)?,
        }
    }
    Ok(())
}

fn check_value(model: &Model, kind: &Kind, answer: &Value, path: &str) -> Result<(), String> {
    let fits = match (kind, answer) {
        (Kind::Text, Value::String(_)) | (Kind::Number, Value::Number(_)) | (Kind::Bool, Value::Bool(_)) => true,
        (Kind::Integer, Value::Number(number)) => number.is_i64(),
        (Kind::Natural, Value::Number(number)) => number.is_u64(),
        (Kind::Object(name), _) => return check_object(model, name, answer, path),
        (Kind::List(element), Value::Array(items)) => {
            return items
                .iter()
                .enumerate()
                .try_for_each(|(place, item)| check_value(model, element, item, &format!("{path}.{place}")));
        }
        _ => false,
    };
    if fits { Ok(()) } else { Err(format!("{path} must be {}, not {answer}", kind.describe())) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn model() -> Model {
        serde_json::from_value(json!({
            "actions": {"Do": {"input": "DoRequest", "output": "DoResponse"}},
            "objects": {
                "DoRequest": [
                    {"name": "Names", "list": "string", "required": true},
                    {"name": "Filters", "list": "Filter"},
                    {"name": "Limit", "type": "int64"},
                    {"name": "Size", "type": "uint64"},
                    {"name": "Price", "type": "float"},
                    {"name": "Dry", "type": "bool"},
                    {"name": "Offset", "type": "string"}
                ],
                "Filter": [{"name": "Name", "type": "string", "required": true}],
                "DoResponse": [
                    {"name": "Total", "type": "int64", "always": true},
                    {"name": "Note", "type": "string", "always": true, "nullable": true},
                    {"name": "Extra", "type": "string"}
                ]
            }
        }))
        .unwrap()
    }

    fn check(parameters: Value, form: Form) -> Result<Value, ApiError> {
        request(&model(), "Do", parameters.as_object().unwrap().clone(), form)
    }

    #[test]
    fn each_mistake_has_its_code_and_names_the_place() {
        let cases = [
            (json!({}), "MissingParameter", "`Names`"),
            (json!({"Names": null}), "MissingParameter", "`Names`"),
            (json!({"Names": [], "names": []}), "UnknownParameter", "Did you mean `Names`?"),
            (json!({"Names": [], "Filters": [{"Name": "a"}, {}]}), "MissingParameter", "`Filters.1.Name`"),
            (json!({"Names": [], "Filters": [{"Name": "a", "X": 1}]}), "UnknownParameter", "`Filters.0.X`"),
            (json!({"Names": "a"}), "InvalidParameter", "`Names` must be a list"),
            (json!({"Names": [1]}), "InvalidParameter", "`Names.0` must be a string"),
            (json!({"Names": [null]}), "InvalidParameter", "`Names.0` must be a string"),
            (json!({"Names": [], "Limit": 1.5}), "InvalidParameter", "`Limit` must be an integer"),
            (json!({"Names": [], "Limit": "1"}), "InvalidParameter", "the string `1`"),
            (json!({"Names": [], "Size": -1}), "InvalidParameter", "a non-negative integer"),
            (json!({"Names": [], "Dry": "true"}), "InvalidParameter", "`Dry` must be a boolean"),
            (json!({"Names": [], "Offset": 0}), "InvalidParameter", "`Offset` must be a string"),
        ];
        for (parameters, code, part) in cases {
            let error = check(parameters.clone(), Form::Json).unwrap_err();
            assert_eq!(error.code, code, "{parameters}");
            assert!(error.message.contains(part), "{parameters}: {}", error.message);
        }
    }

    #[test]
    fn a_query_gets_its_types_from_the_model() {
        let query = "Names.1=b&Names.0=a&Limit=-3&Size=4&Price=0.5&Dry=True&Offset=0&Filters.0.Name=x";
        let given = Value::Object(crate::query::unfold(query).unwrap());
        let checked = check(given, Form::Query).unwrap();
        assert_eq!(
            checked,
            json!({"Names": ["a", "b"], "Limit": -3, "Size": 4, "Price": 0.5, "Dry": true, "Offset": "0",
                   "Filters": [{"Name": "x"}]})
        );
        for query in ["Names.x=a", "Names.0=a&Limit=many", "Names.0=a&Dry=maybe", "Names=a", "Names.0=a&Filters.0=x"] {
            let given = Value::Object(crate::query::unfold(query).unwrap());
            assert_eq!(check(given, Form::Query).unwrap_err().code, "InvalidParameter", "{query}");
        }
    }

    #[test]
    fn answers_are_held_to_the_model_too() {
        let check = |answer: Value| response(&model(), "Do", &answer);
        assert_eq!(check(json!({"Total": 1, "Note": null})), Ok(()));
        assert!(check(json!({"Note": null})).unwrap_err().contains("Do.Total"));
        assert!(check(json!({"Total": null, "Note": null})).unwrap_err().contains("never null"));
        assert!(check(json!({"Total": 1, "Note": null, "Foo": 1})).unwrap_err().contains("Do.Foo"));
        assert!(check(json!({"Total": "1", "Note": null})).unwrap_err().contains("must be an integer"));
    }
}
