//! Bulk: what a message asks for, and in which order it is done.
//!
//! A case is operations, a line each, or `MESSAGE …` with a whole body. `claims 0 a b` says which unique values an
//! operation sets or frees, `claims 0 *` that nobody knows; `together` asks for all or nothing. What comes out is the operations that are refused, the
//! data of those that refer to others, and the steps. The ids of what is created are `new-0` and so on.

use std::collections::HashMap;

use muster::scim::bulk::plan::{Claims, check_together, plan};
use muster::scim::bulk::{BulkRequest, Operation, Target};
use muster::scim::urn;
use serde_json::{Map, Value, json};

use crate::cases::{self, object};
use crate::directory::{refusal, registry};

#[test]
fn bulk_requests_mean_what_the_cases_say() {
    let registry = registry();
    cases::check("bulk", |given| {
        let mut operations = Vec::new();
        let (mut message, mut together) = (None, false);
        let mut claims: HashMap<usize, Claims> = HashMap::new();
        for line in given {
            match line.split_once(' ').unwrap_or((line, "")) {
                ("MESSAGE", rest) => message = Some(object(rest)),
                ("claims", rest) => {
                    let (index, values) = rest.split_once(' ').unwrap();
                    claims.insert(index.parse().unwrap(), claim(values));
                }
                ("together", _) => together = true,
                _ => operations.push(Value::Object(object(line))),
            }
        }
        let message = message.unwrap_or_else(|| bulk_request(&operations, together));
        match BulkRequest::parse(&message, &registry) {
            Ok(request) => meaning(request, &claims),
            Err(error) => vec![refusal(&error)],
        }
    });
}

fn claim(values: &str) -> Claims {
    match values {
        "*" => Claims { values: Vec::new(), others: true },
        values => Claims { values: values.split(' ').map(str::to_owned).collect(), others: false },
    }
}

/// A message with these operations.
fn bulk_request(operations: &[Value], together: bool) -> Map<String, Value> {
    let options = json!({"allOrNothing": together});
    let message =
        json!({"schemas": [urn::BULK_REQUEST], "Operations": operations, urn::BULK_OPTIONS: options});
    message.as_object().unwrap().clone()
}

fn meaning(mut request: BulkRequest, claims: &HashMap<usize, Claims>) -> Vec<String> {
    let count = request.operations.len();
    let claims: Vec<Claims> =
        (0..count).map(|index| claims.get(&index).cloned().unwrap_or_default()).collect();
    let steps = plan(&request, &claims);
    let ids: Vec<String> = (0..count).map(|index| format!("new-{index}")).collect();
    let made: HashMap<String, String> = request.operations.iter().zip(&ids).filter_map(made).collect();
    let mut out = Vec::new();
    if let Some(limit) = request.fail_on_errors {
        out.push(format!("stops after {limit}"));
    }
    if request.all_or_nothing {
        let problem = check_together(&request).err();
        let problem = problem.map(|(index, error)| format!(", but {index}: {}", refusal(&error)));
        out.push(format!("all or nothing{}", problem.unwrap_or_default()));
    }
    for (index, operation) in request.operations.iter_mut().enumerate() {
        match &mut operation.action {
            Err(error) => out.push(format!("{index}: {}", refusal(error))),
            Ok(action) if action.needs.is_empty() => {}
            Ok(action) => {
                action.substitute(&made).unwrap();
                let (target, data) = (&action.target, Value::Object(action.data.clone()));
                let id = match target {
                    Target::Id(id) => id.clone(),
                    Target::Made(index) => format!("new-{index}"),
                };
                out.push(format!("{index}: {:?} {} {id} {data}", action.verb, action.kind.name));
            }
        }
    }
    let lists = |numbers: &mut dyn Iterator<Item = &usize>| {
        numbers.map(ToString::to_string).collect::<Vec<_>>().join(", ")
    };
    if steps.iter().all(|step| step.operations.len() == 1 && step.after.is_empty()) {
        out.push("all at once".to_owned());
        return out;
    }
    for (number, step) in steps.iter().enumerate() {
        let operations = lists(&mut step.operations.iter());
        let after = match step.after.is_empty() {
            true => String::new(),
            false => format!(" after step {}", lists(&mut step.after.iter())),
        };
        out.push(format!("step {number}: {operations}{after}"));
    }
    out
}

fn made((operation, id): (&Operation, &String)) -> Option<(String, String)> {
    let is_post = operation.method.as_deref() == Some("POST");
    Some((operation.bulk_id.clone().filter(|_| is_post)?, id.clone()))
}
