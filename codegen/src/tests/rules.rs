//! The resolver's rules, one by one.

use crate::overrides::{ActionEntry, Effect, Overrides, PageEntry, PageRule};
use crate::plan::{Cursor, Kind, Record, Role, Type, Wrap};
use crate::tests::plan_of;

const LAMPS: &str = r#"{
    "service": "demo", "version": "1", "error_codes": [],
    "actions": {"DescribeLamps": {"input": "I", "output": "O"}, "SetLamp": {"input": "SI", "output": "SO"}},
    "objects": {
        "I": [{"name": "Offset", "type": "string"}, {"name": "Limit", "type": "string", "required": true}],
        "O": [{"name": "Lamps", "list": "Lamp"}, {"name": "Total", "type": "uint64"}],
        "SI": [{"name": "Lamp", "object": "Lamp", "required": true}, {"name": "Wish", "object": "Wish"}],
        "SO": [],
        "Lamp": [
            {"name": "Id", "type": "string", "required": true, "always": true},
            {"name": "Made", "type": "datetime", "always": true},
            {"name": "Colors", "list": "string"},
            {"name": "Power", "type": "int64", "always": true}
        ],
        "Wish": [{"name": "Made", "type": "date"}],
        "Lost": [{"name": "Id", "type": "string"}]
    }
}"#;

fn entry(effect: Effect, why: Option<&str>, page: Option<PageEntry>) -> (String, ActionEntry) {
    let entry = ActionEntry { effect, doc: "Does it.".to_owned(), why: why.map(str::to_owned), page };
    ("lamp".to_owned(), entry)
}

fn in_group(overrides: &mut Overrides, action: &str, entry: (String, ActionEntry)) {
    overrides.groups = vec![("lamp".to_owned(), "Lamps.".to_owned())];
    overrides.actions.insert(action.to_owned(), entry);
}

#[test]
fn without_overrides_everything_has_a_fallback() {
    let plan = plan_of(LAMPS, |_| {}).unwrap();
    let [group] = plan.groups.as_slice() else { panic!("{:?}", plan.groups) };
    assert_eq!(group.name, "ungrouped");
    let effects: Vec<_> =
        group.operations.iter().map(|operation| (operation.wire.as_str(), operation.effect)).collect();
    assert_eq!(effects, [("DescribeLamps", Effect::Read), ("SetLamp", Effect::Write)]);
    assert_eq!((plan.counts.fields, plan.counts.own_docs, plan.counts.documented), (11, 0, 0));
    assert!(plan.notes.iter().any(|note| note.contains("Lost")), "{:?}", plan.notes);
}

#[test]
fn a_shape_used_both_ways_has_the_types_of_what_is_sent() {
    let plan = plan_of(LAMPS, |_| {}).unwrap();
    let [Type::Record(lamp), Type::Record(wish)] = plan.groups[0].types.as_slice() else { panic!() };
    let field = |record: &Record, name: &str| record.field(name).map(|field| (field.kind.clone(), field.wrap)).unwrap();
    assert_eq!((lamp.role, wish.role), (Role::Both, Role::Input));
    assert_eq!(field(lamp, "id"), (Kind::String, Wrap::Plain));
    assert_eq!(field(lamp, "made"), (Kind::String, Wrap::Option));
    assert_eq!(field(lamp, "colors"), (Kind::String, Wrap::OptionList));
    assert_eq!(field(lamp, "power"), (Kind::I64, Wrap::Option));
    assert_eq!(lamp.new, ["id"]);
}

#[test]
fn an_answer_without_fields_has_no_struct() {
    let plan = plan_of(LAMPS, |_| {}).unwrap();
    assert!(plan.groups[0].operations[0].response.is_some());
    assert!(plan.groups[0].operations[1].response.is_none());
}

#[test]
fn an_action_pages_by_offset() {
    let plan = plan_of(LAMPS, |_| {}).unwrap();
    let pages = plan.groups[0].operations[0].pages.clone().unwrap();
    assert_eq!(pages.cursor, Cursor::Offset { offset: "offset".to_owned(), limit: "limit".to_owned() });
    assert_eq!((pages.items.as_str(), pages.largest), ("lamps", 100));
    let total = pages.total.unwrap();
    assert_eq!((total.field.as_str(), total.kind, total.is_option), ("total", Kind::U64, true));
}

#[test]
fn the_overrides_adjust_pages() {
    let page =
        |page| plan_of(LAMPS, |overrides| in_group(overrides, "DescribeLamps", entry(Effect::Read, None, Some(page))));
    let off = page(PageEntry::Enabled(false)).unwrap();
    assert!(off.groups[0].operations[0].pages.is_none());
    let rule = page(PageEntry::Rule(PageRule { max: Some(20), ..PageRule::default() })).unwrap();
    assert_eq!(rule.groups[0].operations[0].pages.as_ref().unwrap().largest, 20);
    let wrong = page(PageEntry::Rule(PageRule { items: Some("Total".to_owned()), ..PageRule::default() }));
    assert!(wrong.unwrap_err().to_string().contains("no list"));
}

#[test]
fn an_effect_that_the_verb_does_not_suggest_needs_a_reason() {
    let with = |effect, why| {
        plan_of(LAMPS, |overrides| in_group(overrides, "DescribeLamps", entry(effect, why, None))).map(|_| ())
    };
    assert_eq!(with(Effect::Write, Some("starts a job")), Ok(()));
    assert!(with(Effect::Write, None).unwrap_err().to_string().contains("add `why"));
    assert!(with(Effect::Read, Some("so")).unwrap_err().to_string().contains("remove `why`"));
    assert!(with(Effect::Token, Some("so")).unwrap_err().to_string().contains("no ClientToken"));
}

#[test]
fn what_the_model_does_not_have_is_a_mistake() {
    let error = plan_of(LAMPS, |overrides| {
        in_group(overrides, "DescribeLights", entry(Effect::Read, None, None));
        overrides.shapes.insert("Light".to_owned(), "A light.".to_owned());
        overrides.identity.push("Lamp.Name".to_owned());
        overrides.new.insert("Lamp".to_owned(), vec!["Name".to_owned()]);
    })
    .unwrap_err()
    .to_string();
    for part in
        ["actions.toml: DescribeLights:", "shapes.toml: Light:", "special.toml: Lamp.Name:", "new.Lamp: names `Name`"]
    {
        assert!(error.contains(part), "{part} is not in\n{error}");
    }
}

#[test]
fn two_types_of_one_name_are_a_mistake() {
    let error =
        plan_of(LAMPS, |overrides| _ = overrides.rename.insert("Wish".to_owned(), "Lamp".to_owned())).unwrap_err();
    assert!(error.to_string().contains("[rename]"), "{error}");
}

#[test]
fn two_fields_of_one_name_are_a_mistake() {
    let json = LAMPS.replace(r#"{"name": "Colors""#, r#"{"name": "ID", "type": "string"}, {"name": "Colors""#);
    let error = plan_of(&json, |_| {}).unwrap_err().to_string();
    assert!(error.contains("Lamp.ID: is called `id`, and so is Id"), "{error}");
}

#[test]
fn an_identity_is_a_string_that_is_received() {
    let of = |path: &str| {
        let json = LAMPS.replace(r#"{"name": "Lamps""#, r#"{"name": "Home", "type": "string"}, {"name": "Lamps""#);
        plan_of(&json, |overrides| overrides.identity = vec![path.to_owned()])
    };
    let plan = of("O.Home").unwrap();
    let home = plan.groups[0].operations[0].response.as_ref().unwrap().field("home").unwrap();
    assert!(home.identity && home.wrap == Wrap::Plain);
    for path in ["I.Limit", "Wish.Made", "Lamp.Colors", "Lamp.Power"] {
        assert!(of(path).is_err(), "{path}");
    }
}

#[test]
fn what_an_answer_promises_is_no_option() {
    let json = r#"{
        "service": "demo", "version": "1", "error_codes": [],
        "actions": {"DescribeLamp": {"input": "I", "output": "O"}},
        "objects": {"I": [], "O": [
            {"name": "Always", "type": "string", "always": true},
            {"name": "Required", "type": "bool", "required": true},
            {"name": "Nullable", "type": "float", "always": true, "nullable": true},
            {"name": "Time", "type": "date", "always": true},
            {"name": "List", "list": "uint64"}
        ]}
    }"#;
    let plan = plan_of(json, |_| {}).unwrap();
    let response = plan.groups[0].operations[0].response.as_ref().unwrap();
    let wraps: Vec<_> = response.fields.iter().map(|field| field.wrap).collect();
    assert_eq!(wraps, [Wrap::Plain, Wrap::Plain, Wrap::Option, Wrap::Option, Wrap::List, Wrap::Plain]);
}
