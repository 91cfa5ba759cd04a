//! Searches among the users of an organisation.
//!
//! Invariant: queries become filters in SCIM's language, and all of them must match. Case never counts, whatever method a
//! query names. What Muster keeps outside of the SCIM document cannot be searched, and is refused by its name.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use crate::contact::{Region, number};
use crate::http::api::Call;
use crate::http::zitadel::human::UserView;
use crate::http::zitadel::refusal::{Code, Refusal};
use crate::http::zitadel::{About, is_organisation};
use crate::identity::{Query, whose_primary};
use crate::scim::filter::quoted;
use crate::scim::schema::ContactKind;
use crate::scim::urn;

/// How many users a page has, and the most that it may have.
const PAGE: u64 = 100;
const LARGEST_PAGE: u64 = 1_000;
/// Filters that match everybody and nobody.
const ALL: &str = "id pr";
const NONE: &str = "not (id pr)";

/// Which part of a list, and in which direction.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
struct Part {
    /// How many matches are left out.
    #[serde(deserialize_with = "number_or_text")]
    #[schemars(with = "Option<u64>")]
    offset: u64,
    /// How many are returned; 100 if it is missing.
    limit: u64,
    /// Whether the smallest come first.
    asc: bool,
}

/// A search for users.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct ListUsers {
    query: Part,
    /// What is sorted by, as in `USER_FIELD_NAME_EMAIL`.
    sorting_column: Option<String>,
    /// What users must match, each one query of one kind.
    queries: Vec<Map<String, Value>>,
}

impl About for ListUsers {
    fn about(&mut self, _: &str) {}
}

/// What is known of a list.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct ListDetails {
    /// How many match.
    total_result: String,
    /// When that was so.
    timestamp: DateTime<Utc>,
}

/// The users that were found.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Listed {
    details: ListDetails,
    #[serde(skip_serializing_if = "Option::is_none")]
    sorting_column: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(default)]
    result: Vec<UserView>,
}

/// A 64-bit number, which protojson writes as a text.
fn number_or_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let read = match Value::deserialize(deserializer)? {
        Value::String(text) => text.parse().ok(),
        other => other.as_u64(),
    };
    read.ok_or_else(|| D::Error::custom("it must be a number that is not negative"))
}

pub(super) async fn list(call: &Call, request: ListUsers) -> Result<Listed, Refusal> {
    let ListUsers { query: Part { offset, limit, asc }, sorting_column, queries } = request;
    if limit > LARGEST_PAGE {
        return Err(Refusal::Invalid(format!("limit must be at most {LARGEST_PAGE}")));
    }
    let sort = match sorting_column.as_deref() {
        Some("USER_FIELD_NAME_USER_NAME") => "userName",
        Some("USER_FIELD_NAME_FIRST_NAME") => "name.givenName",
        Some("USER_FIELD_NAME_LAST_NAME") => "name.familyName",
        Some("USER_FIELD_NAME_NICK_NAME") => "nickName",
        Some("USER_FIELD_NAME_DISPLAY_NAME") => "displayName",
        Some("USER_FIELD_NAME_EMAIL") => "emails.value",
        Some("USER_FIELD_NAME_STATE") => "active",
        // All are people.
        None
        | Some("USER_FIELD_NAME_UNSPECIFIED" | "USER_FIELD_NAME_CREATION_DATE" | "USER_FIELD_NAME_TYPE") => {
            "meta.created"
        }
        Some(other) => {
            return Err(Refusal::Invalid(format!(
                "proto: invalid value for enum field sortingColumn: {other:?}"
            )));
        }
    };
    let filter = (!queries.is_empty()).then(|| joined(call, &queries, " and ")).transpose()?;
    let limit = if limit == 0 { PAGE } else { limit };
    let query = Query { filter, sort: Some(sort.to_owned()), descending: !asc, offset, limit };
    let found = call.app.identity.search(&call.context, &query).await?;
    Ok(Listed {
        details: ListDetails { total_result: found.total.to_string(), timestamp: call.context.now },
        sorting_column,
        result: found.users.iter().map(|user| UserView::of(&call.context, user)).collect(),
    })
}

/// Queries as one filter.
fn joined(call: &Call, queries: &[Map<String, Value>], joint: &str) -> Result<String, Refusal> {
    let filters = queries.iter().map(|query| filter(call, query)).collect::<Result<Vec<_>, _>>()?;
    match filters.is_empty() {
        true => Ok(ALL.to_owned()),
        false => Ok(format!("({})", filters.join(joint))),
    }
}

/// One query as a filter.
fn filter(call: &Call, query: &Map<String, Value>) -> Result<String, Refusal> {
    let mut members = query.iter();
    let (Some((kind, Value::Object(query))), None) = (members.next(), members.next()) else {
        return Err(Refusal::Invalid("a query has one member, which is an object".into()));
    };
    let region = call.context.caller.profile.contacts.region;
    match kind.as_str() {
        "userNameQuery" => compared("userName", query, "userName"),
        "firstNameQuery" => compared("name.givenName", query, "firstName"),
        "lastNameQuery" => compared("name.familyName", query, "lastName"),
        "nickNameQuery" => compared("nickName", query, "nickName"),
        "displayNameQuery" => compared("displayName", query, "displayName"),
        "emailQuery" => Ok(whose_primary(ContactKind::Email, &condition(query, "emailAddress", None)?)),
        "phoneQuery" => Ok(whose_primary(ContactKind::Phone, &condition(query, "number", Some(region))?)),
        "loginNameQuery" => {
            let condition = condition(query, "loginName", None)?;
            Ok(format!("(userName {condition} or {}:loginIds {condition})", urn::IDENTIFIERS))
        }
        "inUserIdsQuery" => Ok(any(&texts(query, "userIds")?, |id| format!("id eq {id}"))),
        "inUserEmailsQuery" => Ok(any(&texts(query, "userEmails")?, |email| {
            whose_primary(ContactKind::Email, &format!("eq {email}"))
        })),
        "stateQuery" => match text(query, "state")? {
            "USER_STATE_ACTIVE" => Ok("not (active eq false)".to_owned()),
            "USER_STATE_INACTIVE" => Ok("active eq false".to_owned()),
            "USER_STATE_DELETED" | "USER_STATE_LOCKED" => Ok(NONE.to_owned()),
            _ => Err(unknown()),
        },
        "typeQuery" => Ok(if text(query, "type")? == "TYPE_HUMAN" { ALL } else { NONE }.to_owned()),
        "organizationIdQuery" => {
            let is_own = is_organisation(&call.context, text(query, "organizationId")?);
            Ok(if is_own { ALL } else { NONE }.to_owned())
        }
        "andQuery" => joined(call, &nested(query)?, " and "),
        "orQuery" => joined(call, &nested(query)?, " or "),
        "notQuery" => match query.get("query") {
            Some(Value::Object(query)) => Ok(format!("not ({})", filter(call, query)?)),
            _ => Err(Refusal::Invalid("notQuery.query must be a query".into())),
        },
        _ => Err(unknown()),
    }
}

fn unknown() -> Refusal {
    Refusal::Known(Code::Unimplemented, "Muster cannot search for that", "MUSTER-Un2Im")
}

fn text<'a>(query: &'a Map<String, Value>, name: &str) -> Result<&'a str, Refusal> {
    let text = query.get(name).map_or(Some(""), Value::as_str);
    text.ok_or_else(|| Refusal::Invalid(format!("proto: invalid value for string field {name}")))
}

/// Texts, as filters write them.
fn texts(query: &Map<String, Value>, name: &str) -> Result<Vec<String>, Refusal> {
    let values = query.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let texts = values.iter().map(|value| value.as_str().map(quoted));
    texts
        .collect::<Option<_>>()
        .ok_or_else(|| Refusal::Invalid(format!("proto: invalid value for string field {name}")))
}

fn any(values: &[String], filter: impl Fn(&str) -> String) -> String {
    match values.is_empty() {
        true => NONE.to_owned(),
        false => format!("({})", values.iter().map(|value| filter(value)).collect::<Vec<_>>().join(" or ")),
    }
}

/// The queries in a query.
fn nested(query: &Map<String, Value>) -> Result<Vec<Map<String, Value>>, Refusal> {
    let queries = query.get("queries").cloned().unwrap_or_else(|| Value::Array(Vec::new()));
    serde_json::from_value(queries).map_err(|_| Refusal::Invalid("queries must be a list of queries".into()))
}

fn compared(path: &str, query: &Map<String, Value>, name: &str) -> Result<String, Refusal> {
    Ok(format!("{path} {}", condition(query, name, None)?))
}

/// How a text is compared: operator and value. A number that is compared as a whole is one in any spelling.
fn condition(
    query: &Map<String, Value>,
    name: &str,
    region: Option<Option<Region>>,
) -> Result<String, Refusal> {
    let value = text(query, name)?;
    let method = text(query, "method")?;
    let operator = match method.strip_suffix("_IGNORE_CASE").unwrap_or(method) {
        "" | "TEXT_QUERY_METHOD_EQUALS" => "eq",
        "TEXT_QUERY_METHOD_STARTS_WITH" => "sw",
        "TEXT_QUERY_METHOD_CONTAINS" => "co",
        "TEXT_QUERY_METHOD_ENDS_WITH" => "ew",
        other => {
            return Err(Refusal::Invalid(format!("proto: invalid value for enum field method: {other:?}")));
        }
    };
    if value.is_empty() {
        return Err(Refusal::field(name, "value is required"));
    }
    let canonical = region.filter(|_| operator == "eq").and_then(|region| number(value, region));
    Ok(format!("{operator} {}", quoted(canonical.as_deref().unwrap_or(value))))
}
