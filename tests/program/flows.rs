//! Replays what identity providers really send (conformance/flows), each flow on a tenant of its own.

use crate::server::Server;
use muster_conformance::{Subject, bundled, replay};

/// The policies that a flow's tenant needs beyond the default profile.
const POLICIES: [(&str, &str); 1] = [("entra-23-duplicate-create", "unique-group-names=on")];

#[test]
fn every_flow_passes_on_an_empty_tenant() {
    let server = Server::start();
    let mut failures = Vec::new();
    let flows = bundled().unwrap();
    assert!(flows.len() >= 50, "only {} flows were found", flows.len());
    for (number, flow) in flows.iter().enumerate() {
        let tenant = format!("flow-{number}");
        let policy = POLICIES.iter().find(|(file, _)| flow.file.contains(file)).map(|(_, policy)| *policy);
        let token = server.new_tenant(&tenant, policy);
        let report = replay(&Subject { base: server.base(), token }, flow);
        if !report.passed() {
            failures.push(report.to_string());
        }
    }
    assert!(
        failures.is_empty(),
        "{} of {} flows failed\n{}",
        failures.len(),
        flows.len(),
        failures.join("\n")
    );
}
