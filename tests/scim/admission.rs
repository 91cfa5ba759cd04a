//! POST and PUT: what becomes of a body.
//!
//! A case is a script: `type Device` and `formats` set the stage, `POST {…}` and `PUT {…}` do it, and the last step's
//! outcome is shown. The base schema is added to bodies that name no schemas; `RAW {…}` is a POST without that.
//! `document` shows how the resource is stored.

use muster::scim::admit::{Admitted, Rules};
use muster::scim::error::ScimError;
use muster::scim::resource::Resource;

use crate::cases::{self, object};
use crate::directory::{interop, names, refusal, registry, shown, with_schemas};

#[test]
fn bodies_are_admitted_as_the_cases_say() {
    let registry = registry();
    cases::check("admit", |given| {
        let mut kind = registry.type_named("User").unwrap();
        let mut rules = Rules::default();
        let mut resource = Resource::default();
        let mut outcome = Vec::new();
        for line in given {
            let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
            let step = match word {
                "type" => {
                    kind = registry.type_named(rest).unwrap();
                    continue;
                }
                "formats" => {
                    rules.check_formats = true;
                    continue;
                }
                "interop" => {
                    rules = interop();
                    continue;
                }
                "document" => {
                    let document = resource.to_document(kind);
                    let secret = document.secret.clone().unwrap_or_else(|| "none".to_owned());
                    outcome = vec![format!("visible {}", document.visible), format!("secret {secret}")];
                    let again =
                        Resource::stored(object(&document.visible), document.secret.as_deref().map(object));
                    assert_eq!(again, resource, "what is stored comes back");
                    continue;
                }
                "POST" => kind
                    .admit(&with_schemas(kind, object(rest)), rules)
                    .and_then(|admitted| finish(admitted, |admitted| Resource::created(kind, admitted))),
                "RAW" => kind
                    .admit(&object(rest), rules)
                    .and_then(|admitted| finish(admitted, |admitted| Resource::created(kind, admitted))),
                "PUT" => kind
                    .admit(&with_schemas(kind, object(rest)), rules)
                    .and_then(|admitted| finish(admitted, |admitted| resource.replaced(kind, &admitted))),
                _ => panic!("{line} is no step"),
            };
            outcome = match step {
                Ok((made, _)) if word == "PUT" && made == resource => vec!["unchanged".to_owned()],
                Ok((made, members)) => {
                    resource = made.with_id(kind, "1");
                    let mut body = resource.body().clone();
                    body.shift_remove("id");
                    std::iter::once(shown(kind, &body)).chain(members).collect()
                }
                Err(error) => vec![refusal(&error)],
            };
        }
        outcome
    });
}

fn finish(
    admitted: Admitted,
    make: impl FnOnce(Admitted) -> Result<Resource, ScimError>,
) -> Result<(Resource, Option<String>), ScimError> {
    let members = admitted.members.as_ref().map(|ids| format!("members {}", names(ids)));
    Ok((make(admitted)?, members))
}
