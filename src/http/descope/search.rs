//! Searches in this API's words → filters in SCIM's.
//!
//! Invariant: every condition that is given must hold; of the values in one list any will do. What Muster cannot look for is
//! refused by its name.

use chrono::{DateTime, SecondsFormat};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::contact;
use crate::http::api::{Call, answer};
use crate::http::descope::Done;
use crate::http::descope::profile::shown;
use crate::http::descope::refusal::Refusal;
use crate::identity::Query;
use crate::scim::filter::quoted;
use crate::scim::schema::ContactKind;
use crate::scim::urn;

/// How many users a page has, and the most that it may have.
const PAGE: u64 = 100;
const LARGEST_PAGE: u64 = 5_000;

/// What is looked for.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Search {
    /// How many users at most; 0 is 100.
    limit: Option<u64>,
    /// Which page, the first being 0.
    page: Option<u64>,
    /// How many users to leave out; goes before the page.
    offset: Option<u64>,
    emails: Option<Vec<String>>,
    phones: Option<Vec<String>>,
    login_id: Option<String>,
    login_ids: Option<Vec<String>>,
    user_ids: Option<Vec<String>>,
    recovery_emails: Option<Vec<String>>,
    recovery_phones: Option<Vec<String>>,
    role_names: Option<Vec<String>>,
    /// `enabled` and `disabled`; whoever was never there is enabled here.
    statuses: Option<Vec<String>>,
    /// A part of a name, an address, a number or a name to log in by.
    text: Option<String>,
    verified_email: Option<bool>,
    verified_phone: Option<bool>,
    /// Milliseconds since 1970, as all times here.
    from_created_time: Option<Value>,
    to_created_time: Option<Value>,
    from_modified_time: Option<Value>,
    to_modified_time: Option<Value>,
    /// At most one field.
    sort: Option<Vec<Sort>>,
    test_users_only: Option<bool>,
    tenant_ids: Option<Vec<Value>>,
    tenant_role_ids: Option<Map<String, Value>>,
    tenant_role_names: Option<Map<String, Value>>,
    sso_app_ids: Option<Vec<Value>>,
    family_ids: Option<Vec<Value>>,
    custom_attributes: Option<Map<String, Value>>,
}

/// What the users are sorted by.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
struct Sort {
    field: String,
    desc: Option<bool>,
}

pub(super) async fn search(mut call: Call) -> Done {
    let search: Search = call.json_if_any().await?;
    let query = search.query(call.context.caller.profile.contacts.region)?;
    if search.test_users_only == Some(true) {
        // There are none.
        return Ok(answer(200, &json!({"users": [], "total": 0}))?);
    }
    let found = call.app.identity.search(&call.context, &query).await?;
    let users: Vec<Value> = found.users.iter().map(shown).collect();
    Ok(answer(200, &json!({"users": users, "total": found.total}))?)
}

impl Search {
    fn query(&self, region: Option<contact::Region>) -> Result<Query, Refusal> {
        self.check()?;
        let limit = self.limit.filter(|limit| *limit > 0).unwrap_or(PAGE);
        if limit > LARGEST_PAGE {
            return Err(Refusal::invalid(format!("limit must not be greater than {LARGEST_PAGE}")));
        }
        let page = self.page.unwrap_or(0).saturating_mul(limit);
        let offset = self.offset.filter(|offset| *offset > 0).unwrap_or(page);
        let (sort, descending) = self.sorted_by()?;
        let conditions = self.conditions(region)?;
        let filter = (!conditions.is_empty()).then(|| conditions.join(" and "));
        Ok(Query { filter, sort: Some(sort.to_owned()), descending, offset, limit })
    }

    /// Refuses what cannot be looked for.
    fn check(&self) -> Result<(), Refusal> {
        let list = |list: &Option<Vec<Value>>| list.as_ref().is_some_and(|list| !list.is_empty());
        let map = |map: &Option<Map<String, Value>>| map.as_ref().is_some_and(|map| !map.is_empty());
        let unknown = [
            ("tenantIds", list(&self.tenant_ids)),
            ("tenantRoleIds", map(&self.tenant_role_ids)),
            ("tenantRoleNames", map(&self.tenant_role_names)),
            ("ssoAppIds", list(&self.sso_app_ids)),
            ("familyIds", list(&self.family_ids)),
            ("customAttributes", map(&self.custom_attributes)),
        ];
        match unknown.into_iter().find(|(_, is_there)| *is_there) {
            Some((name, _)) => Err(Refusal::invalid(format!("{name} cannot be searched on this server"))),
            None => Ok(()),
        }
    }

    fn sorted_by(&self) -> Result<(&'static str, bool), Refusal> {
        let sort = self.sort.as_deref().unwrap_or_default();
        let (first, more) = match sort {
            [] => return Ok(("meta.created", false)),
            [first, more @ ..] => (first, more),
        };
        let path = match first.field.as_str() {
            "id" => "id",
            "createdTime" => "meta.created",
            "modifiedTime" => "meta.lastModified",
            "displayName" => "displayName",
            "email" => "emails.value",
            "phoneNumber" => "phoneNumbers.value",
            "externalId" => "externalId",
            "status" => "active",
            _ => {
                let known =
                    "id, createdTime, modifiedTime, displayName, email, phoneNumber, externalId, status";
                return Err(Refusal::invalid(format!("sort.field must be one of {known}")));
            }
        };
        if !more.is_empty() {
            return Err(Refusal::invalid("sort must have one field"));
        }
        Ok((path, first.desc == Some(true)))
    }

    fn conditions(&self, region: Option<contact::Region>) -> Result<Vec<String>, Refusal> {
        let ids = urn::IDENTIFIERS;
        let mut out = Vec::new();
        let mut any = |values: Option<&[String]>, condition: &dyn Fn(&str) -> String| {
            let conditions: Vec<String> =
                values.unwrap_or_default().iter().map(|value| condition(value)).collect();
            if !conditions.is_empty() {
                out.push(format!("({})", conditions.join(" or ")));
            }
        };
        let canonical = |kind: ContactKind, value: &str| quoted(&contact::canonical(kind, value, region));
        let names =
            |name: &str| format!("{ids}:loginIds eq {name} or userName eq {name}", name = quoted(name));
        any(self.emails.as_deref(), &|value| {
            format!("{ids}:emails.canonical eq {}", canonical(ContactKind::Email, value))
        });
        any(self.phones.as_deref(), &|value| {
            format!("{ids}:phoneNumbers.canonical eq {}", canonical(ContactKind::Phone, value))
        });
        any(self.login_id.as_ref().filter(|id| !id.is_empty()).map(std::slice::from_ref), &names);
        any(self.login_ids.as_deref(), &names);
        any(self.user_ids.as_deref(), &|id| format!("id eq {}", quoted(id)));
        any(self.recovery_emails.as_deref(), &|value| {
            format!("{ids}:recoveryEmails.value eq {}", quoted(value))
        });
        any(self.recovery_phones.as_deref(), &|value| {
            format!("{ids}:recoveryPhones.value eq {}", canonical(ContactKind::Phone, value))
        });
        any(self.role_names.as_deref(), &|role| format!("roles.value eq {}", quoted(role)));
        if let Some(text) = self.text.as_ref().filter(|text| !text.is_empty()) {
            let paths = [
                "displayName",
                "name.givenName",
                "name.middleName",
                "name.familyName",
                "userName",
                &format!("{ids}:loginIds"),
                "emails.value",
                "phoneNumbers.value",
            ];
            let parts = paths.map(|path| format!("{path} co {}", quoted(text)));
            out.push(format!("({})", parts.join(" or ")));
        }
        out.extend(self.status()?);
        for (attribute, verified) in [("emails", self.verified_email), ("phoneNumbers", self.verified_phone)]
        {
            if let Some(verified) = verified {
                let not = if verified { "" } else { "not " };
                out.push(format!("{not}({ids}:{attribute}[verified eq true])"));
            }
        }
        let times = [
            ("fromCreatedTime", "meta.created ge", &self.from_created_time),
            ("toCreatedTime", "meta.created le", &self.to_created_time),
            ("fromModifiedTime", "meta.lastModified ge", &self.from_modified_time),
            ("toModifiedTime", "meta.lastModified le", &self.to_modified_time),
        ];
        for (name, condition, time) in times {
            if let Some(time) = time {
                out.push(format!("{condition} {}", instant(name, time)?));
            }
        }
        Ok(out)
    }

    fn status(&self) -> Result<Option<String>, Refusal> {
        let (mut enabled, mut disabled) = (false, false);
        for status in self.statuses.as_deref().unwrap_or_default() {
            match status.as_str() {
                "enabled" => enabled = true,
                "disabled" => disabled = true,
                _ => return Err(Refusal::invalid("statuses can be enabled and disabled on this server")),
            }
        }
        Ok(match (enabled, disabled) {
            (true, false) => Some("not (active eq false)".to_owned()),
            (false, true) => Some("active eq false".to_owned()),
            _ => None,
        })
    }
}

/// Milliseconds since 1970, as a number or as digits.
fn instant(name: &str, time: &Value) -> Result<String, Refusal> {
    let millis = time.as_i64().or_else(|| time.as_str()?.parse().ok());
    let at = millis.and_then(DateTime::from_timestamp_millis);
    let at = at.ok_or_else(|| Refusal::invalid(format!("{name} must be milliseconds since 1970")))?;
    Ok(quoted(&at.to_rfc3339_opts(SecondsFormat::Millis, true)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(search: Value) -> Option<String> {
        let search: Search = serde_json::from_value(search).unwrap();
        search.query(Some("CH".parse().unwrap())).unwrap().filter
    }

    #[test]
    fn of_a_list_any_will_do_and_all_lists_must_hold() {
        let ids = urn::IDENTIFIERS;
        let found = filter(
            json!({"emails": ["A@x.example", "b@x.example"], "phones": ["079 123 45 67"], "text": ""}),
        );
        let expected = format!(
            "({ids}:emails.canonical eq \"a@x.example\" or {ids}:emails.canonical eq \"b@x.example\") \
             and ({ids}:phoneNumbers.canonical eq \"+41791234567\")"
        );
        assert_eq!(found, Some(expected));
        assert_eq!(filter(json!({"emails": [], "limit": 0, "statuses": null})), None);
    }

    #[test]
    fn a_time_is_a_number_or_digits() {
        let expected = Some("meta.created ge \"2023-11-14T22:13:20.000Z\"".to_owned());
        assert_eq!(filter(json!({"fromCreatedTime": 1_700_000_000_000_i64})), expected);
        assert_eq!(filter(json!({"fromCreatedTime": "1700000000000"})), expected);
        assert!(instant("x", &json!("soon")).is_err() && instant("x", &json!(i64::MAX)).is_err());
    }

    #[test]
    fn pages_are_counted_from_zero_and_an_offset_goes_before() {
        let query = |search: Value| {
            let search: Search = serde_json::from_value(search).unwrap();
            search.query(None).map(|query| (query.offset, query.limit)).map_err(|_| ())
        };
        assert_eq!(query(json!({})), Ok((0, 100)));
        assert_eq!(query(json!({"limit": 10, "page": 2})), Ok((20, 10)));
        assert_eq!(query(json!({"limit": 10, "page": 2, "offset": 5})), Ok((5, 10)));
        assert_eq!(query(json!({"limit": 5001})), Err(()));
    }
}
