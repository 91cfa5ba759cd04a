//! What a scenario needs of a server, beyond what it says itself.
//!
//! Invariant: a scenario uses no optional feature, resource type or attribute that is not in its needs.

use crate::scenario::{Action, Content, Scenario};
use crate::server::{ENTERPRISE, GROUP, Server, USER, named_in};
use serde_json::Value;

/// All needs of a scenario, those that its steps imply included.
pub(crate) fn needs(scenario: &Scenario) -> Vec<String> {
    let mut needs = scenario.needs.clone();
    for action in &scenario.steps {
        needs.extend(implied(action));
    }
    needs.retain(|need| !scenario.unless.contains(need));
    needs
}

/// Why a scenario does not apply to a server that has what it must not have.
pub(crate) fn clash(scenario: &Scenario, server: &Server) -> Option<String> {
    let has = scenario.unless.iter().find(|feature| server.lacks(feature).is_none())?;
    Some(match has.as_str() {
        "interop" => "the Interoperability Profile, which the server claims, rules otherwise".to_owned(),
        feature => format!("the server has {feature}"),
    })
}

fn implied(action: &Action) -> Vec<String> {
    let mut needs = Vec::new();
    let (path, query) = action.path.split_once('?').unwrap_or((&action.path, ""));
    for core in [&USER, &GROUP] {
        if path.starts_with(core.endpoint) {
            needs.push(core.name.to_owned());
        }
    }
    let is_resource = path.starts_with(USER.endpoint) || path.starts_with(GROUP.endpoint);
    if action.method == "PATCH" && is_resource {
        needs.push("patch".to_owned());
    }
    if path == "/Bulk" {
        needs.push("bulk".to_owned());
    }
    if is_resource {
        for (parameter, feature) in [("filter=", "filter"), ("sortBy=", "sort")] {
            if query.contains(parameter) {
                needs.push(feature.to_owned());
            }
        }
        needs.extend(named_in(query, path));
    }
    needs.extend(by_content(&action.content, path));
    needs
}

fn by_content(content: &Content, path: &str) -> Vec<String> {
    match content {
        Content::Fresh(core, members) => {
            let mut needs = vec![core.name.to_owned()];
            needs.extend(by_members(members, core.endpoint));
            needs
        }
        Content::Json(members) if path.starts_with(USER.endpoint) || path.starts_with(GROUP.endpoint) => {
            by_members(members, path)
        }
        Content::Patch(operations) => operations
            .as_array()
            .into_iter()
            .flatten()
            .flat_map(|one| match one.get("path").and_then(Value::as_str) {
                Some(at) => named_in(at, path),
                None => by_members(one.get("value").unwrap_or(&Value::Null), path),
            })
            .collect(),
        Content::Search(members) => {
            let text = |name: &str| members.get(name).and_then(Value::as_str);
            let mut needs: Vec<String> = [("filter", "filter"), ("sortBy", "sort")]
                .iter()
                .filter(|(member, _)| text(member).is_some())
                .map(|(_, feature)| (*feature).to_owned())
                .collect();
            needs.extend(
                ["filter", "sortBy"].into_iter().filter_map(text).flat_map(|text| named_in(text, path)),
            );
            needs
        }
        Content::Json(_) | Content::None | Content::Bulk(_) | Content::Text(_) | Content::Octets(_) => {
            Vec::new()
        }
    }
}

fn by_members(members: &Value, endpoint: &str) -> Vec<String> {
    let mut needs = Vec::new();
    for (name, value) in members.as_object().into_iter().flatten() {
        if name == "{{Enterprise}}" {
            needs.push(ENTERPRISE.name.to_owned());
            let parts = value.as_object().into_iter().flatten();
            needs.extend(parts.map(|(part, _)| format!("{}.{part}", ENTERPRISE.name)));
        } else if !name.contains(':') {
            needs.extend(named_in(name, endpoint));
        }
    }
    needs
}
