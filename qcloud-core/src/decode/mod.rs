//! Reading answers: the envelope, and the lenient decoder.

mod compound;
mod envelope;
mod lenient;
mod trace;

use serde::Deserialize;
use serde::de::DeserializeOwned;

pub(crate) use self::envelope::{Answer, classify, request_id};
use self::lenient::Lenient;
use self::trace::Trace;

/// One place where the decoder had to be lenient: the API's answer differs from its own definition there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
#[cfg_attr(not(feature = "testing"), expect(unreachable_pub, reason = "public with the feature `testing`"))]
pub struct Leniency {
    /// Where, as a JSON path: `InstanceSet[0].CPU`.
    pub path: String,
    /// What was found and what was made of it.
    pub what: &'static str,
}

impl std::fmt::Display for Leniency {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.path, self.what)
    }
}

/// Why a body could not be decoded.
#[derive(Debug)]
pub(crate) struct DecodeError {
    /// The JSON path of the offending value, when it is known.
    pub(crate) path: String,
    pub(crate) source: serde_json::Error,
}

#[derive(Deserialize)]
#[serde(bound(deserialize = "T: Deserialize<'de>"))]
struct Envelope<T> {
    #[serde(rename = "Response")]
    response: T,
}

fn decode_with<T: DeserializeOwned>(body: &[u8], trace: &Trace) -> Result<T, serde_json::Error> {
    let mut json = serde_json::Deserializer::from_slice(body);
    let envelope = Envelope::<T>::deserialize(Lenient::new(&mut json, trace))?;
    json.end()?;
    Ok(envelope.response)
}

/// Decodes the content of the envelope. The first reading keeps no track of where it is; only when it fails, a second
/// one finds the path for the message.
pub(crate) fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T, DecodeError> {
    decode_with(body, &Trace::off()).or_else(|_| {
        let trace = Trace::paths();
        decode_with(body, &trace).map_err(|source| DecodeError { path: trace.path(), source })
    })
}

/// Decodes like the SDK does, and tells every leniency that it took.
#[cfg(any(test, feature = "testing"))]
pub(crate) fn decode_strictly<T: DeserializeOwned>(body: &[u8]) -> Result<(T, Vec<Leniency>), DecodeError> {
    let trace = Trace::strict();
    let decoded = decode_with(body, &trace).map_err(|source| DecodeError { path: trace.path(), source })?;
    Ok((decoded, trace.leniencies()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Timestamp, wire};
    use proptest::prelude::*;

    #[allow(unreachable_pub, dead_code)]
    mod vocabulary {
        crate::open_enum! {
            /// State.
            pub enum State {
                /// On.
                On = "ON",
            }
        }

        crate::open_int_enum! {
            /// Status.
            pub enum Status {
                /// Done.
                Done = 0,
                /// Ready.
                Ready = 1,
            }
        }
    }
    use vocabulary::{State, Status};

    #[derive(Debug, Default, Deserialize, PartialEq)]
    #[serde(default, rename_all = "PascalCase")]
    struct Lamp {
        name: String,
        watts: i64,
        price: f64,
        lit: bool,
        note: Option<String>,
        state: State,
        status: Status,
        tags: Vec<String>,
        shade: Shade,
        spare: Option<Shade>,
        #[serde(deserialize_with = "wire::timestamp")]
        made: Option<Timestamp>,
    }

    #[derive(Debug, Default, Deserialize, PartialEq)]
    #[serde(default, rename_all = "PascalCase")]
    struct Shade {
        colour: String,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(rename_all = "PascalCase")]
    struct Owned {
        #[serde(deserialize_with = "wire::identity")]
        id: String,
        #[serde(default)]
        lamps: Vec<Lamp>,
    }

    fn lamp(fields: &str) -> Result<Lamp, DecodeError> {
        decode(format!("{{\"Response\":{{{fields}}}}}").as_bytes())
    }

    fn strict(fields: &str) -> Vec<String> {
        let body = format!("{{\"Response\":{{{fields}}}}}");
        let (_, leniencies) = decode_strictly::<Lamp>(body.as_bytes()).unwrap();
        leniencies.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn plain_answers_decode() {
        let lamp = lamp(
            r#""Name":"a","Watts":5,"Price":1.5,"Lit":true,"Note":"n","State":"ON","Status":1,"Tags":["x"],
               "Shade":{"Colour":"red"},"Spare":{"Colour":"blue"},"Made":"2024-05-01T08:00:00Z""#,
        )
        .unwrap();
        assert_eq!(lamp.watts, 5);
        assert_eq!(lamp.state, State::On);
        assert_eq!(lamp.status, Status::Ready);
        assert_eq!(lamp.spare, Some(Shade { colour: "blue".into() }));
        assert_eq!(lamp.made.unwrap().unix_seconds(), 1_714_550_400);
    }

    #[test]
    fn null_and_missing_become_defaults_everywhere() {
        let nulls = lamp(
            r#""Name":null,"Watts":null,"Price":null,"Lit":null,"Note":null,"State":null,"Status":null,"Tags":null,
               "Shade":null,"Spare":null,"Made":null"#,
        );
        assert_eq!(nulls.unwrap(), Lamp::default());
        assert_eq!(lamp("").unwrap(), Lamp::default());
    }

    /// Many enums over numbers have a 0 that means something good, such as a task that is done.
    #[test]
    fn an_absent_number_is_none_that_an_enum_knows() {
        for absent in ["", r#""Status":null"#, r#""Status":"""#, r#""Status":" ""#] {
            let status = lamp(absent).unwrap().status;
            assert!(!Status::KNOWN.contains(&status) && status == Status::default(), "{absent}: {status}");
        }
        assert_eq!(lamp(r#""Status":0"#).unwrap().status, Status::Done);
        assert_eq!(lamp(r#""Status":"-4""#).unwrap().status, Status::Unknown(-4));
        assert!(lamp(r#""Status":9223372036854775808"#).is_err());
        assert_eq!(serde_json::from_str::<Status>("1").unwrap(), Status::Ready);
    }

    #[test]
    fn scalars_of_another_type_are_converted() {
        let lamp =
            lamp(r#""Name":12,"Watts":"253","Price":"1.5","Lit":"true","Status":"1","Unknown":{"a":[1]}"#).unwrap();
        assert_eq!((lamp.name.as_str(), lamp.watts, lamp.price, lamp.lit), ("12", 253, 1.5, true));
        assert_eq!(lamp.status, Status::Ready);
        assert_eq!(self::lamp(r#""Watts":4.0"#).unwrap().watts, 4);
    }

    #[test]
    fn what_makes_no_sense_is_an_error_that_names_the_path() {
        let error = decode::<Owned>(br#"{"Response":{"Id":"i","Lamps":[{"Watts":1},{"Watts":"many"}]}}"#).unwrap_err();
        assert_eq!(error.path, "Lamps[1].Watts");
        let error = lamp(r#""Tags":{"a":1}"#).unwrap_err();
        assert_eq!(error.path, "Tags");
        let error = lamp(r#""Watts":1.5"#).unwrap_err();
        assert_eq!(error.path, "Watts");
    }

    #[test]
    fn an_answer_without_content_is_an_error() {
        for content in ["null", "\"\"", "\"down\"", "[]", "0", "true"] {
            let body = format!("{{\"Response\":{content}}}");
            assert!(decode::<Lamp>(body.as_bytes()).is_err(), "{body}");
            assert!(decode::<serde_json::Value>(body.as_bytes()).is_err(), "{body}");
            assert!(decode_strictly::<Lamp>(body.as_bytes()).is_err(), "{body}");
        }
        assert!(decode::<Lamp>(b"{}").is_err());
        let free = decode::<serde_json::Value>(br#"{"Response":{"a":null,"b":["",{}]}}"#).unwrap();
        assert_eq!(free, serde_json::json!({ "a": null, "b": ["", {}] }));
    }

    #[test]
    fn an_identity_is_never_empty() {
        for body in [r#"{"Response":{"Id":""}}"#, r#"{"Response":{"Id":null}}"#, r#"{"Response":{}}"#] {
            assert!(decode::<Owned>(body.as_bytes()).is_err(), "{body}");
        }
    }

    #[test]
    fn zero_dates_and_nonsense_dates_are_absent() {
        for date in [r#""""#, r#""0000-00-00 00:00:00""#, r#""soon""#, "1714550400", "-1", "1.5", "true", "null"] {
            assert_eq!(lamp(&format!("\"Made\":{date}")).unwrap().made, None, "{date}");
        }
    }

    #[test]
    fn strict_decoding_tells_each_leniency() {
        let complete =
            r#""Name":"a","Watts":5,"Price":1.5,"Lit":true,"State":"ON","Status":1,"Tags":[],"Shade":{"Colour":""}"#;
        assert_eq!(strict(complete), [""; 0]);
        assert_eq!(strict(&complete.replace("\"Watts\":5", "\"Watts\":\"5\"")), ["Watts: text in place of a number"]);
        assert_eq!(strict(&complete.replace("\"Name\":\"a\"", "\"Name\":null")), ["Name: null in place of a value"]);
        assert_eq!(strict(&complete.replace("\"Lit\":true,", "")), ["Lit: a value that should be there is missing"]);
        assert_eq!(strict(&format!("{complete},\"New\":1")), ["New: unknown field"]);
        for date in ["\"soon\"", "1714550400"] {
            assert_eq!(strict(&format!("{complete},\"Made\":{date}")), ["Made: a time in no known form"]);
        }
    }

    proptest! {
        /// No bytes make the decoder panic, and what the strict reading accepts the normal one reads alike.
        #[test]
        fn any_bytes_are_an_answer_or_an_error(body in "\\{\"Response\":[\\{\\}\\[\\]\":,a-zA-Z0-9. \\-]{0,60}") {
            let normal = decode::<Lamp>(body.as_bytes());
            if let Ok((strict, _)) = decode_strictly::<Lamp>(body.as_bytes()) {
                prop_assert_eq!(normal.unwrap(), strict);
            }
        }

        #[test]
        fn numbers_survive_as_text_and_as_numbers(watts in any::<i64>()) {
            prop_assert_eq!(lamp(&format!("\"Watts\":{watts}")).unwrap().watts, watts);
            prop_assert_eq!(lamp(&format!("\"Watts\":\"{watts}\"")).unwrap().watts, watts);
        }
    }
}
