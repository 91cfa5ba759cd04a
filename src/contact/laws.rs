//! What holds of contacts whatever is done to them, in whatever order.

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::contact::{
    Add, Contacts, Demotion, Error, Outcome, Policy, Primary, Select, SetPrimary, Source, Truth,
};
use crate::contact::{Verification, settle};
use crate::scim::registry::{Registry, ResourceType};
use crate::scim::resource::Resource;
use crate::scim::schema::ContactKind;
use crate::scim::urn;

const EMAILS: [&str; 5] = ["a@x.example", "A@X.example", " b@x.example ", "c@x.example", "no address"];
const PHONES: [&str; 5] =
    ["+41 79 123 45 67", "TEL:+41-79-123-45-67", "+12015550123", "044 668 18 00", "ext 12"];

/// One command, or a write through SCIM.
#[derive(Clone, Debug)]
enum Step {
    Add(Add),
    SetPrimary(SetPrimary),
    Remove(ContactKind, Select, bool),
    MakePrimary(ContactKind, Select),
    SetVerified(ContactKind, Select, Option<Source>, bool),
    Verified(ContactKind, String, Primary, bool),
    Put(ContactKind, Vec<(usize, Option<&'static str>, bool)>),
}

fn at(second: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::seconds(second)
}

fn policy() -> Policy {
    Policy { region: "CH".parse().ok(), ..Policy::default() }
}

fn value(kind: ContactKind, index: usize) -> String {
    let values = if kind == ContactKind::Email { EMAILS } else { PHONES };
    values.get(index).copied().unwrap_or_default().to_owned()
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let kind = || prop_oneof![Just(ContactKind::Email), Just(ContactKind::Phone)];
    let text = || (kind(), 0..5_usize).prop_map(|(kind, index)| (kind, value(kind, index)));
    let select = || {
        (text(), 0..3).prop_map(|((kind, value), by)| match by {
            0 => (kind, Select::Primary),
            1 => {
                let canonical = super::canonical(kind, &value, policy().region);
                (kind, Select::Id(super::contact_id("u", kind, &canonical)))
            }
            _ => (kind, Select::Value(value)),
        })
    };
    let truth =
        || prop_oneof![Just(Truth::Keep), Just(Truth::Verified(Source::Admin)), Just(Truth::Unverified)];
    let primary = || prop_oneof![Just(Primary::Auto), Just(Primary::Yes), Just(Primary::UnlessVerified)];
    let source = || proptest::option::of(Just(Source::Admin));
    let element = (0..5_usize, proptest::option::of(Just("work")), any::<bool>());
    let step = prop_oneof![
        (text(), truth(), primary()).prop_map(|((kind, value), truth, primary)| Step::Add(Add {
            kind,
            value,
            label: None,
            truth,
            primary
        })),
        (text(), truth(), any::<(bool, bool, bool)>()).prop_map(
            |((kind, value), truth, (is_some, drops, other))| {
                let old = if drops { Demotion::Drop } else { Demotion::Keep };
                Step::SetPrimary(SetPrimary {
                    kind,
                    value: is_some.then_some(value),
                    truth,
                    old,
                    only_if_other: other,
                })
            }
        ),
        (select(), any::<bool>()).prop_map(|((kind, select), any)| Step::Remove(kind, select, any)),
        select().prop_map(|(kind, select)| Step::MakePrimary(kind, select)),
        (select(), source(), any::<bool>())
            .prop_map(|((kind, select), source, then)| Step::SetVerified(kind, select, source, then)),
        (text(), primary(), any::<bool>())
            .prop_map(|((kind, value), primary, joins)| Step::Verified(kind, value, primary, joins)),
        (kind(), proptest::collection::vec(element, 0..4)).prop_map(|(kind, values)| Step::Put(kind, values)),
    ];
    proptest::collection::vec(step, 1..25)
}

fn run(contacts: &mut Contacts, step: &Step, now: DateTime<Utc>) -> Result<Outcome, Error> {
    match step {
        Step::Add(add) => contacts.add(add, now),
        Step::SetPrimary(set) => contacts.set_primary(set, now),
        Step::Remove(kind, select, any) => contacts.remove(*kind, select, *any),
        Step::MakePrimary(kind, select) => contacts.make_primary(*kind, select),
        Step::SetVerified(kind, select, source, then) => {
            contacts.set_verified(*kind, select, source.clone(), *then, now)
        }
        Step::Verified(kind, value, primary, joins) => {
            contacts.verified(*kind, value, Source::Otp, *primary, *joins, now)
        }
        Step::Put(..) => Ok(Outcome::Unchanged),
    }
}

/// The document after a PUT of one attribute's values.
fn put(
    user: &ResourceType,
    before: &Resource,
    kind: ContactKind,
    values: &[(usize, Option<&str>, bool)],
) -> Resource {
    let mut is_free = true;
    let elements = values.iter().map(|(index, label, primary)| {
        let mut element = Map::new();
        element.insert("value".into(), json!(value(kind, *index)));
        if let Some(label) = label {
            element.insert("type".into(), json!(label));
        }
        if *primary && is_free {
            is_free = false;
            element.insert("primary".into(), json!(true));
        }
        Value::Object(element)
    });
    let mut body = before.body().clone();
    body.insert(kind.attribute().into(), elements.collect());
    Resource::canonical(user, body)
}

/// What must be so after every step.
fn check(user: &ResourceType, contacts: &Contacts, document: &Resource, now: DateTime<Utc>) {
    for kind in ContactKind::ALL {
        let all: Vec<_> = contacts.of_kind(kind).collect();
        assert!(all.iter().filter(|contact| contact.is_marked_primary()).count() <= 1, "{all:?}");
        assert_eq!(contacts.primary(kind).is_none(), all.is_empty());
        for contact in &all {
            let same = all.iter().filter(|other| other.canonical == contact.canonical);
            assert!(
                same.clone().all(|other| (&other.verified, &other.id) == (&contact.verified, &contact.id))
            );
        }
        let elements =
            document.body().get(kind.attribute()).and_then(Value::as_array).cloned().unwrap_or_default();
        let entries = document.body().get(urn::IDENTIFIERS).and_then(|known| known.get(kind.attribute()));
        let entries = entries.and_then(Value::as_array).cloned().unwrap_or_default();
        let values = |list: &[Value]| list.iter().map(|value| value["value"].clone()).collect::<Vec<_>>();
        assert_eq!(values(&elements), values(&entries));
        for entry in &entries {
            assert_eq!(entry["verified"] == true, entry.get("verifiedAt").is_some(), "{entry}");
        }
    }
    assert_eq!(&settle(user, "u", document.clone(), policy(), now).unwrap(), document);
    assert_eq!(&Contacts::of("u", document, policy(), now).unwrap(), contacts);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn commands_and_writes_through_scim_keep_contacts_and_document_in_agreement(steps in steps()) {
        let registry = Registry::built_in().unwrap();
        let user = registry.type_named("User").unwrap();
        let mut document = Resource::canonical(user, Map::new());
        for (second, step) in (1..).zip(&steps) {
            let now = at(second);
            let before = Contacts::of("u", &document, policy(), now).unwrap();
            if let Step::Put(kind, values) = step {
                document = settle(user, "u", put(user, &document, *kind, values), policy(), now).unwrap();
                let after = Contacts::of("u", &document, policy(), now).unwrap();
                for contact in after.of_kind(*kind) {
                    let earlier = before.of_kind(*kind).find(|other| other.canonical == contact.canonical);
                    let kept = earlier.map(|other| (other.verified.clone(), other.created));
                    prop_assert_eq!((contact.verified.clone(), contact.created), kept.unwrap_or((None, now)));
                }
                check(user, &after, &document, now);
                continue;
            }
            let mut after = before.clone();
            match run(&mut after, step, now) {
                Err(_) => prop_assert_eq!(&after, &before),
                Ok(Outcome::Unchanged) => prop_assert_eq!(&after, &before),
                Ok(Outcome::Changed) => prop_assert_ne!(&after, &before),
            }
            let unnamed = |contact: &&crate::contact::Contact| !before.of_kind(contact.kind).any(|c| c.id == contact.id);
            for contact in ContactKind::ALL.into_iter().flat_map(|kind| after.of_kind(kind)).filter(unnamed) {
                let wanted = match step {
                    Step::Add(Add { truth: Truth::Verified(source), .. })
                    | Step::SetPrimary(SetPrimary { truth: Truth::Verified(source), .. }) => Some(source.clone()),
                    Step::Verified(..) => Some(Source::Otp),
                    _ => None,
                };
                prop_assert_eq!(&contact.verified, &wanted.map(|source| Verification { at: now, source }));
            }
            document = after.written(user, document);
            check(user, &after, &document, now);
        }
    }

    #[test]
    fn any_text_has_one_canonical_form(text in "\\PC{0,40}") {
        for kind in ContactKind::ALL {
            let once = super::canonical(kind, &text, policy().region);
            prop_assert_eq!(super::canonical(kind, &once, policy().region), once);
        }
    }

    #[test]
    fn whatever_looks_like_a_number_is_one_or_is_none(text in "[-+0-9 ./()extEXT;=]{0,60}") {
        if let Some(number) = super::number(&text, policy().region) {
            prop_assert!(number.starts_with('+'));
            prop_assert_eq!(super::number(&number, None), Some(number));
        }
    }
}

fn swiss(body: Value) -> Contacts {
    let registry = Registry::built_in().unwrap();
    let user = registry.type_named("User").unwrap();
    let document = Resource::canonical(user, body.as_object().unwrap().clone());
    Contacts::of("u", &document, policy(), at(0)).unwrap()
}

#[test]
fn the_first_value_leads_where_a_provider_marks_none() {
    let contacts = swiss(json!({"emails": [{"value": "a@x.example"}, {"value": "b@x.example"}]}));
    assert_eq!(contacts.primary(ContactKind::Email).map(|contact| contact.value()), Some("a@x.example"));
    assert_eq!(contacts.secondary(ContactKind::Email).len(), 1);
}

#[test]
fn a_secondary_value_is_promoted_with_the_verification_that_it_has() {
    let mut contacts = swiss(json!({"phoneNumbers": [{"value": "+41791234567", "primary": true}]}));
    let add = Add {
        kind: ContactKind::Phone,
        value: "044 668 18 00".into(),
        label: None,
        truth: Truth::Verified(Source::Otp),
        primary: Primary::Auto,
    };
    contacts.add(&add, at(1)).unwrap();
    let set = SetPrimary {
        kind: ContactKind::Phone,
        value: Some("tel:+41-44-668-18-00".into()),
        truth: Truth::Keep,
        old: Demotion::Drop,
        only_if_other: false,
    };
    assert_eq!(contacts.set_primary(&set, at(2)), Ok(Outcome::Changed));
    let all: Vec<_> = contacts.of_kind(ContactKind::Phone).collect();
    assert_eq!(all.len(), 1);
    assert_eq!((all[0].value(), all[0].verified.as_ref().unwrap().at), ("+41446681800", at(1)));
    assert_eq!(contacts.set_primary(&set, at(3)), Ok(Outcome::Unchanged));
}

#[test]
fn the_one_that_was_verified_first_follows_a_primary_that_is_removed() {
    let emails = json!({"emails": [{"value": "a@x.example", "primary": true}, {"value": "b@x.example"},
        {"value": "c@x.example"}, {"value": "d@x.example"}]});
    let mut contacts = swiss(emails);
    for (second, value) in [(5, "d@x.example"), (6, "c@x.example")] {
        let select = Select::Value(value.into());
        contacts.set_verified(ContactKind::Email, &select, Some(Source::Admin), false, at(second)).unwrap();
    }
    let refused = contacts.remove(ContactKind::Email, &Select::Primary, false);
    assert_eq!(refused, Err(Error::PrimaryNotRemovable(ContactKind::Email)));
    contacts.remove(ContactKind::Email, &Select::Primary, true).unwrap();
    assert_eq!(contacts.primary(ContactKind::Email).unwrap().value(), "d@x.example");
}
