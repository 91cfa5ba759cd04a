//! Any JSON object as a bulk request: it is refused, or each operation is done in one step, behind all that it needs.
#![no_main]

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use muster_fuzz::scim::bulk::BulkRequest;
use muster_fuzz::scim::bulk::plan::{Claims, check_together, plan};
use muster_fuzz::scim::registry::Registry;
use serde_json::Value;

static REGISTRY: LazyLock<Registry> = LazyLock::new(|| Registry::built_in().unwrap());

fuzz_target!(|data: &[u8]| {
    let Ok(Value::Object(body)) = serde_json::from_slice(data) else { return };
    let Ok(mut request) = BulkRequest::parse(&body, &REGISTRY) else { return };
    // One value for every third operation, so that they meet.
    let claim = |index: usize| Claims { values: vec![(index % 3).to_string()], others: index % 7 == 6 };
    let claims: Vec<Claims> = (0..request.operations.len()).map(claim).collect();
    check_together(&request).map(drop).unwrap_or_default();
    let steps = plan(&request, &claims);
    let mut done: HashSet<usize> = HashSet::new();
    for (number, step) in steps.iter().enumerate() {
        assert!(step.after.iter().all(|before| *before < number));
        let needs =
            |operation: &usize| request.operations[*operation].action.as_ref().map(|a| a.needs.clone());
        let needs: HashSet<usize> = step.operations.iter().filter_map(|o| needs(o).ok()).flatten().collect();
        done.extend(&step.operations);
        assert!(needs.is_subset(&done), "{body:?}");
    }
    assert_eq!(steps.iter().map(|step| step.operations.len()).sum::<usize>(), request.operations.len());
    assert_eq!(done.len(), request.operations.len());
    let ids: HashMap<String, String> = request
        .operations
        .iter()
        .enumerate()
        .filter_map(|(index, operation)| Some((operation.bulk_id.clone()?, format!("id{index}"))))
        .collect();
    for action in request.operations.iter_mut().filter_map(|operation| operation.action.as_mut().ok()) {
        action.substitute(&ids).unwrap();
        let without = action.data.clone();
        action.substitute(&HashMap::new()).unwrap();
        assert_eq!(action.data, without, "no reference is left");
    }
});
