//! In which order the operations of a bulk request are done (RFC 7644 §3.7, §3.7.1).
//!
//! Invariant: what the operations come to is what they would have come to one by one in the client's order, with
//! each moved behind those whose resources it refers to. Operations that refer to each other in a circle are one
//! step. Everything else that can be done at the same time may be.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, HashMap, HashSet};

use serde_json::{Map, Value};

use crate::scim::bulk::{Action, BulkRequest, Target, Verb, reference};
use crate::scim::error::ScimError;

/// Operations that are done together, and the steps that must have been done before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The indexes of the operations. Several are POSTs that refer to each other.
    pub operations: Vec<usize>,
    /// The indexes of steps; all of them are smaller than this step's.
    pub after: BTreeSet<usize>,
}

/// The unique values that an operation sets or sets free.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claims {
    /// The values, each with its attribute.
    pub values: Vec<String>,
    /// Whether there may be others that nobody knows before it is done.
    pub others: bool,
}

/// The steps of a request; `claims` has an entry an operation.
pub fn plan(request: &BulkRequest, claims: &[Claims]) -> Vec<Step> {
    let needs: Vec<BTreeSet<usize>> = request
        .operations
        .iter()
        .map(|operation| operation.action.as_ref().map(|action| action.needs.clone()).unwrap_or_default())
        .collect();
    let circles = circles(&needs);
    let mut node_of = vec![0; needs.len()];
    for (node, circle) in circles.iter().enumerate() {
        for operation in circle {
            if let Some(place) = node_of.get_mut(*operation) {
                *place = node;
            }
        }
    }
    let lift = |edges: Vec<BTreeSet<usize>>| {
        let mut lifted = vec![BTreeSet::new(); circles.len()];
        for (operation, before) in edges.into_iter().enumerate() {
            let Some(&node) = node_of.get(operation) else { continue };
            let before = before.into_iter().filter_map(|operation| node_of.get(operation).copied());
            if let Some(set) = lifted.get_mut(node) {
                set.extend(before.filter(|before| *before != node));
            }
        }
        lifted
    };
    let (needs, order) = (lift(needs), lift(order(request, claims)));
    sequence(&circles, &needs, &order)
}

/// Whether the operations can be done in one batch: each resource is the target of one of them, and none refers to what
/// another deletes.
///
/// # Errors
/// `invalidValue`, with the index of the operation that is one too many.
pub fn check_together(request: &BulkRequest) -> Result<(), (usize, ScimError)> {
    let deleted = deleted(request);
    let mut targets = HashSet::new();
    for (index, operation) in request.operations.iter().enumerate() {
        let Ok(action) = &operation.action else { continue };
        if !targets.insert(&action.target) {
            let detail = "all or nothing takes one operation a resource, and this is another";
            return Err((index, ScimError::value(detail)));
        }
        if action.verb != Verb::Delete && !mentioned(action, &deleted).is_empty() {
            let detail = "all or nothing takes no reference to what another operation deletes";
            return Err((index, ScimError::value(detail)));
        }
    }
    Ok(())
}

/// The operations in groups: one that is in no circle is alone. Groups are in the order of their first operations.
fn circles(needs: &[BTreeSet<usize>]) -> Vec<Vec<usize>> {
    let reaches = |start: usize, edges: &[BTreeSet<usize>], among: &HashSet<usize>| {
        let mut found = HashSet::from([start]);
        let mut open = vec![start];
        while let Some(next) = open.pop() {
            let fresh = edges.get(next).into_iter().flatten();
            open.extend(fresh.filter(|next| among.contains(next) && found.insert(**next)));
        }
        found
    };
    // Only what others need can be in a circle, and only if it needs something itself.
    let needed: HashSet<usize> = needs.iter().flatten().copied().collect();
    let mut candidates: HashSet<usize> = (0..needs.len())
        .filter(|at| needed.contains(at) && !needs.get(*at).is_none_or(BTreeSet::is_empty))
        .collect();
    let mut back = vec![BTreeSet::new(); needs.len()];
    for (from, to) in needs.iter().enumerate().flat_map(|(from, to)| to.iter().map(move |to| (from, *to))) {
        if let Some(set) = back.get_mut(to) {
            set.insert(from);
        }
    }
    let mut out = Vec::new();
    let mut taken = HashSet::new();
    for index in 0..needs.len() {
        if !taken.insert(index) {
            continue;
        }
        let mut circle = vec![index];
        if candidates.contains(&index) {
            let forth = reaches(index, needs, &candidates);
            let back = reaches(index, &back, &candidates);
            circle = forth.intersection(&back).copied().collect();
            circle.sort_unstable();
            taken.extend(&circle);
            candidates.retain(|candidate| !circle.contains(candidate));
        }
        out.push(circle);
    }
    out
}

/// What an operation touches that others may touch too.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Thing {
    /// A resource itself.
    Resource(String, Target),
    /// Whether a resource exists.
    Existence(Target),
    /// A unique value.
    Value(String),
    /// All unique values of a type.
    Values(String),
    /// The versions of groups, which change when members are deleted.
    Versions,
}

/// For each operation, the earlier ones that must come first though it does not refer to them.
fn order(request: &BulkRequest, claims: &[Claims]) -> Vec<BTreeSet<usize>> {
    let deleted = deleted(request);
    let mut carried: HashMap<Thing, Vec<String>> = HashMap::new();
    let mut touched = Touched::default();
    let mut out = Vec::with_capacity(request.operations.len());
    for (index, operation) in request.operations.iter().enumerate() {
        let mut before = BTreeSet::new();
        if let Ok(action) = &operation.action {
            let claims = claims.get(index).cloned().unwrap_or_default();
            let resource = Thing::Resource(action.kind.name.clone(), action.target.clone());
            // What an earlier operation on the resource has set, this one may set free.
            let values = carried.entry(resource.clone()).or_default();
            values.extend(claims.values);
            let mut writes: HashSet<Thing> = values.iter().cloned().map(Thing::Value).collect();
            let mut reads = HashSet::new();
            let all = Thing::Values(action.kind.name.clone());
            match (claims.others, writes.is_empty()) {
                (true, _) => drop(writes.insert(all)),
                (false, false) => drop(reads.insert(all)),
                (false, true) => {}
            }
            // Everything about what a POST creates needs the POST.
            if action.verb != Verb::Post {
                writes.insert(resource);
            }
            match action.verb {
                Verb::Delete => {
                    writes.insert(Thing::Existence(action.target.clone()));
                    reads.insert(Thing::Versions);
                }
                _ => reads.extend(mentioned(action, &deleted).into_iter().map(Thing::Existence)),
            }
            if !deleted.is_empty() && action.version.is_some() && action.kind.members().is_some() {
                reads.remove(&Thing::Versions);
                writes.insert(Thing::Versions);
            }
            touched.by(index, &writes, &reads, &mut before);
        }
        out.push(before);
    }
    out
}

/// Who touched what: the last to change a thing, and who looked at it since.
#[derive(Default)]
struct Touched {
    changed: HashMap<Thing, usize>,
    seen: HashMap<Thing, Vec<usize>>,
}

impl Touched {
    fn by(
        &mut self,
        index: usize,
        writes: &HashSet<Thing>,
        reads: &HashSet<Thing>,
        before: &mut BTreeSet<usize>,
    ) {
        for thing in reads.iter().chain(writes) {
            before.extend(self.changed.get(thing));
        }
        for thing in writes {
            before.extend(self.seen.remove(thing).into_iter().flatten());
            self.changed.insert(thing.clone(), index);
        }
        for thing in reads {
            self.seen.entry(thing.clone()).or_default().push(index);
        }
    }
}

/// The resources that the request deletes.
fn deleted(request: &BulkRequest) -> HashSet<Target> {
    let actions = request.operations.iter().filter_map(|operation| operation.action.as_ref().ok());
    actions.filter(|action| action.verb == Verb::Delete).map(|action| action.target.clone()).collect()
}

/// Those of some resources that the data of an operation refers to.
fn mentioned(action: &Action, among: &HashSet<Target>) -> HashSet<Target> {
    let mut found: HashSet<Target> =
        action.needs.iter().map(|post| Target::Made(*post)).filter(|made| among.contains(made)).collect();
    if among.iter().any(|target| matches!(target, Target::Id(_))) {
        each_text(action.verb, &action.data, &mut |text| {
            found.extend(among.get(&Target::Id(text.to_owned())).cloned());
        });
    }
    found
}

/// Every text of the data that may be an id.
fn each_text(verb: Verb, data: &Map<String, Value>, see: &mut dyn FnMut(&str)) {
    let mut data = data.clone();
    let seen = reference::visit(verb, &mut data, &mut |text| {
        see(text);
        Ok(None)
    });
    // Only the closure can refuse, and it does not.
    seen.unwrap_or_default();
}

/// The groups in an order in which everything comes after what it needs, and after what it should come after where
/// that does not contradict; as near to the client's order as that allows.
fn sequence(circles: &[Vec<usize>], needs: &[BTreeSet<usize>], order: &[BTreeSet<usize>]) -> Vec<Step> {
    let count = circles.len();
    let mut waiting: Vec<(usize, usize)> = needs
        .iter()
        .zip(order)
        .map(|(needs, order)| (needs.len(), order.difference(needs).count()))
        .collect();
    let mut followers = vec![Vec::new(); count];
    for (node, (needs, order)) in needs.iter().zip(order).enumerate() {
        let before = needs.iter().map(|before| (*before, true));
        for (before, is_need) in before.chain(order.difference(needs).map(|before| (*before, false))) {
            if let Some(followers) = followers.get_mut(before) {
                followers.push((node, is_need));
            }
        }
    }
    let mut ready: BinaryHeap<Reverse<usize>> =
        (0..count).filter(|node| waiting.get(*node) == Some(&(0, 0))).map(Reverse).collect();
    let mut place_of: HashMap<usize, usize> = HashMap::new();
    let mut steps = Vec::with_capacity(count);
    while steps.len() < count {
        // Where order and needs contradict each other, needs count: without circles of needs, somebody lacks none.
        let lacks_nothing = |node: &usize| {
            !place_of.contains_key(node) && waiting.get(*node).is_some_and(|(needs, _)| *needs == 0)
        };
        let next = match ready.pop() {
            Some(Reverse(node)) => Some(node),
            None => (0..count).find(lacks_nothing),
        };
        let Some(node) = next else { break };
        if place_of.contains_key(&node) {
            continue;
        }
        let before = needs.get(node).into_iter().flatten().chain(order.get(node).into_iter().flatten());
        let after = before.filter_map(|before| place_of.get(before).copied()).collect();
        place_of.insert(node, steps.len());
        steps.push(Step { operations: circles.get(node).cloned().unwrap_or_default(), after });
        for (follower, is_need) in followers.get(node).into_iter().flatten() {
            let Some((needs, order)) = waiting.get_mut(*follower) else { continue };
            let count = if *is_need { needs } else { order };
            *count = count.saturating_sub(1);
            if waiting.get(*follower) == Some(&(0, 0)) {
                ready.push(Reverse(*follower));
            }
        }
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sets(edges: &[&[usize]]) -> Vec<BTreeSet<usize>> {
        edges.iter().map(|edges| edges.iter().copied().collect()).collect()
    }

    #[test]
    fn a_circle_is_everything_that_needs_each_other_and_nothing_else() {
        let needs = sets(&[&[1], &[2], &[1, 3], &[], &[4], &[5, 0], &[0, 7], &[6]]);
        assert_eq!(circles(&needs), [vec![0], vec![1, 2], vec![3], vec![4], vec![5], vec![6, 7]]);
    }

    #[test]
    fn needs_win_over_order_and_everything_is_done_once() {
        let circles: Vec<Vec<usize>> = (0..4).map(|node| vec![node]).collect();
        let steps = sequence(&circles, &sets(&[&[2], &[], &[], &[]]), &sets(&[&[], &[0], &[1], &[2]]));
        let order: Vec<usize> = steps.iter().flat_map(|step| step.operations.clone()).collect();
        assert_eq!(order, [1, 2, 0, 3]);
        let after: Vec<Vec<usize>> = steps.iter().map(|step| step.after.iter().copied().collect()).collect();
        assert_eq!(after, [vec![], vec![0], vec![1], vec![1]]);
    }
}
