//! Bulk: many requests in one (RFC 7644 §3.7).
//!
//! Invariant: every operation is what the single request would be, and is done as a whole or not at all. Ids are made
//! before anything is written, so that a reference never waits for a second write: operations that refer to each
//! other in a circle are written in one batch. Independent operations run side by side and share commits.

use std::collections::{BTreeSet, HashMap};

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;

use crate::contact;
use crate::context::Context;
use crate::directory::edit::Edit;
use crate::directory::together::Wish;
use crate::directory::{Directory, Draft, Failure, also_unique, rules};
use crate::id::ResourceId;
use crate::scim::bulk::plan::{Claims, Step, check_together, plan};
use crate::scim::bulk::{Action, BulkRequest, Target, Verb};
use crate::scim::error::ScimError;
use crate::scim::fact::facts;
use crate::scim::registry::ResourceType;
use crate::scim::schema::{Attribute, Kept, Uniqueness};
use crate::scim::version::Condition;

/// How many operations of a request are under way at once. More would share a commit, but a request must not take
/// all connections of a pool.
const AT_ONCE: usize = 16;

/// What became of an operation.
#[derive(Debug)]
pub struct Done {
    /// The resource, if there is one.
    pub id: Option<String>,
    /// Its version, none if it was deleted; or why nothing was done.
    pub outcome: Outcome,
}

type Outcome = Result<Option<i64>, Failure>;

impl Directory {
    /// Does the operations; answers what became of each, none where it was not begun. The answer keeps their order.
    ///
    /// # Errors
    /// If all or nothing is wanted, those of the operation that fails; nothing is written then.
    pub async fn bulk(&self, cx: &Context, request: &mut BulkRequest) -> Result<Vec<Option<Done>>, Failure> {
        let ids: Vec<Option<String>> = request
            .operations
            .iter()
            .map(|operation| {
                let is_post = operation.method.as_deref() == Some("POST");
                is_post.then(|| ResourceId::generate().to_string())
            })
            .collect();
        let made: HashMap<String, String> = request
            .operations
            .iter()
            .zip(&ids)
            .filter_map(|(operation, id)| Some((operation.bulk_id.clone()?, id.clone()?)))
            .collect();
        for operation in &mut request.operations {
            if let Ok(action) = &mut operation.action
                && let Err(error) = action.substitute(&made)
            {
                operation.action = Err(error);
            }
        }
        let outcomes = match request.all_or_nothing {
            true => self.all_or_nothing(cx, request, &ids).await?,
            false => {
                let claims = self.claims(cx, request).await?;
                let steps = plan(request, &claims);
                Job { directory: self, cx, request, ids: &ids }.run(&steps).await
            }
        };
        let is_done: Vec<bool> = outcomes.iter().map(|outcome| matches!(outcome, Some(Ok(_)))).collect();
        let resource = |action: &Action| match &action.target {
            Target::Id(id) => Some(id.clone()),
            Target::Made(post) => is_done.get(*post)?.then(|| action.id(&ids).to_owned()),
        };
        let done = outcomes.into_iter().zip(&request.operations).map(|(outcome, operation)| {
            let id = operation.action.as_ref().ok().and_then(resource);
            Some(Done { id, outcome: outcome? })
        });
        Ok(done.collect())
    }

    /// Does all operations in one batch.
    async fn all_or_nothing(
        &self,
        cx: &Context,
        request: &BulkRequest,
        ids: &[Option<String>],
    ) -> Result<Vec<Option<Outcome>>, Failure> {
        let at = |index: usize, error: ScimError| {
            let mut error = error.at(format_args!("Operations[{index}]"));
            error.detail.push_str("; nothing was done");
            Failure::from(error)
        };
        check_together(request).map_err(|(index, error)| at(index, error))?;
        let mut wishes = Vec::with_capacity(request.operations.len());
        for (index, operation) in request.operations.iter().enumerate() {
            let wish = match &operation.action {
                Ok(action) => Wish::of(cx, action, action.id(ids)),
                Err(error) => Err(error.clone()),
            };
            wishes.push(wish.map_err(|error| at(index, error))?);
        }
        let records = self.together(cx, wishes).await.map_err(|(index, failure)| match failure {
            Failure::Scim(error) => at(index, error),
            other => other,
        })?;
        Ok(records.into_iter().map(|record| Some(Ok(record.map(|record| record.version)))).collect())
    }

    /// The unique values that the operations set or free, as far as the order depends on them.
    async fn claims(&self, cx: &Context, request: &BulkRequest) -> Result<Vec<Claims>, Failure> {
        let actions = || request.operations.iter().map(|operation| operation.action.as_ref().ok());
        let mut claims: Vec<Claims> =
            actions().map(|action| action.map(|action| claimed(cx, action)).unwrap_or_default()).collect();
        let stored: BTreeSet<&str> = actions()
            .flatten()
            .filter_map(|action| match &action.target {
                Target::Id(id) => Some(id.as_str()),
                Target::Made(_) => None,
            })
            .collect();
        if stored.is_empty() || claims.iter().all(|claims| *claims == Claims::default()) {
            return Ok(claims);
        }
        let stored: Vec<&str> = stored.into_iter().collect();
        let mut held: HashMap<String, Vec<String>> = HashMap::new();
        for value in self.store.unique_values(cx.caller.tenant, &stored).await? {
            held.entry(value.id).or_default().push(named(&value.kind, &value.path, &value.key));
        }
        for (action, claims) in actions().zip(&mut claims) {
            if let Some(Action { target: Target::Id(id), .. }) = action {
                claims.values.extend(held.get(id).into_iter().flatten().cloned());
            }
        }
        Ok(claims)
    }
}

/// The unique values that an operation has in its data, and whether it may set or free others.
fn claimed(cx: &Context, action: &Action) -> Claims {
    let kind = &action.kind;
    let also = also_unique(cx, kind);
    let is_unique = |attribute: &Attribute, kept: Kept| {
        let by_schema = attribute.uniqueness != Uniqueness::None && kept != Kept::Header;
        by_schema || also.paths.contains(&attribute.path.as_str())
    };
    // Which addresses and numbers are claimed follows from more than the data.
    let claims_contacts = match also.claims {
        contact::Claims::None => false,
        contact::Claims::Verified => rules(cx).may_verify,
        contact::Claims::Login | contact::Claims::PrimaryOrVerified | contact::Claims::All => true,
    };
    let others = claims_contacts && leaves(kind).any(|(_, kept)| matches!(kept, Kept::Contact(_)));
    match action.verb {
        Verb::Delete => Claims { values: Vec::new(), others },
        Verb::Patch => {
            let text = serde_json::to_string(&action.data).unwrap_or_default().to_ascii_lowercase();
            let names = leaves(kind)
                .filter(|(leaf, kept)| is_unique(leaf, *kept))
                .any(|(leaf, _)| text.contains(&leaf.name.to_ascii_lowercase()));
            Claims { values: Vec::new(), others: others || names }
        }
        Verb::Post | Verb::Put => {
            let id = ResourceId::from_text(String::new());
            let Ok(draft) = Draft::of(cx, kind, &id, &action.data) else { return Claims::default() };
            let facts = facts(kind, draft.resource.body()).into_iter();
            let unique = facts.filter(|fact| is_unique(&fact.attribute, fact.kept));
            let values = unique.map(|fact| named(&kind.name, &fact.attribute.path, fact.key.as_str()));
            Claims { values: values.collect(), others }
        }
    }
}

/// The simple attributes and sub-attributes of a type, with where they are kept.
fn leaves(kind: &ResourceType) -> impl Iterator<Item = (&Attribute, Kept)> {
    kind.all_attributes().flat_map(|attribute| {
        std::iter::once(attribute).chain(&attribute.sub_attributes).map(|leaf| (&**leaf, attribute.kept))
    })
}

/// A unique value in words that no other has.
fn named(kind: &str, path: &str, key: &str) -> String {
    format!("{kind} {path} {key}")
}

/// A request that is being done.
struct Job<'a> {
    directory: &'a Directory,
    cx: &'a Context,
    request: &'a BulkRequest,
    ids: &'a [Option<String>],
}

impl Job<'_> {
    /// Does the steps, each when those before it are done, until there were too many errors.
    async fn run(&self, steps: &[Step]) -> Vec<Option<Outcome>> {
        let mut outcomes: Vec<Option<Outcome>> = self.request.operations.iter().map(|_| None).collect();
        let mut waiting: Vec<usize> = steps.iter().map(|step| step.after.len()).collect();
        let mut followers: Vec<Vec<usize>> = vec![Vec::new(); steps.len()];
        for (number, before) in
            steps.iter().enumerate().flat_map(|(n, step)| step.after.iter().map(move |b| (n, b)))
        {
            if let Some(followers) = followers.get_mut(*before) {
                followers.push(number);
            }
        }
        let mut ready: BTreeSet<usize> =
            waiting.iter().enumerate().filter(|(_, count)| **count == 0).map(|(number, _)| number).collect();
        let mut running = FuturesUnordered::new();
        let mut errors = 0;
        loop {
            // If all that is under way fails, no more than the limit has failed.
            let left = self.request.fail_on_errors.map(|limit| limit.saturating_sub(errors));
            while running.len() < left.unwrap_or(AT_ONCE).min(AT_ONCE) {
                let Some(number) = ready.pop_first() else { break };
                let Some(step) = steps.get(number) else { break };
                let refused = self.refused(step, &outcomes);
                running.push(async move { (number, self.step(step, refused).await) });
            }
            let Some((number, done)) = running.next().await else { break };
            for (operation, outcome) in done {
                errors += usize::from(outcome.is_err());
                if let Some(place) = outcomes.get_mut(operation) {
                    *place = Some(outcome);
                }
            }
            for follower in followers.get(number).into_iter().flatten() {
                if let Some(count) = waiting.get_mut(*follower) {
                    *count -= 1;
                    if *count == 0 {
                        ready.insert(*follower);
                    }
                }
            }
        }
        drop(running);
        outcomes
    }

    /// Why a step cannot be done because of others.
    fn refused(&self, step: &Step, outcomes: &[Option<Outcome>]) -> Option<ScimError> {
        let actions = step.operations.iter().filter_map(|operation| self.action(*operation));
        let mut needs =
            actions.flat_map(|action| &action.needs).filter(|need| !step.operations.contains(need));
        let failed = needs.find(|need| !matches!(outcomes.get(**need), Some(Some(Ok(_)))))?;
        Some(ScimError::conflict(format!("it refers to what Operations[{failed}] did not create")))
    }

    fn action(&self, operation: usize) -> Option<&Action> {
        self.request.operations.get(operation)?.action.as_ref().ok()
    }

    async fn step(&self, step: &Step, refused: Option<ScimError>) -> Vec<(usize, Outcome)> {
        let is_circle = |operation: &usize| {
            let action = self.action(*operation);
            action.is_some_and(|a| a.verb == Verb::Post && a.needs.contains(operation))
        };
        match step.operations.as_slice() {
            [operation] if !is_circle(operation) => vec![(*operation, self.one(*operation, refused).await)],
            circle => self.circle(circle, refused).await,
        }
    }

    async fn one(&self, operation: usize, refused: Option<ScimError>) -> Outcome {
        let (directory, cx) = (self.directory, self.cx);
        let action = match self.request.operations.get(operation).map(|operation| &operation.action) {
            Some(Ok(action)) => action,
            Some(Err(error)) => return Err(error.clone().into()),
            None => return Ok(None),
        };
        if let Some(error) = refused {
            return Err(error.into());
        }
        let (kind, data, id) = (&action.kind, &action.data, action.id(self.ids));
        let condition = Condition::from_headers(action.version.as_deref(), None);
        let change = async |edit: Edit| directory.write(cx, kind, id, &condition, &edit, false).await;
        let record = match action.verb {
            Verb::Post => {
                let id = ResourceId::from_text(id);
                let draft = Draft::of(cx, kind, &id, data)?;
                directory.insert(cx, kind, id, draft).await?.0
            }
            Verb::Put => change(Edit::whole(cx, kind, data)?).await?.0,
            Verb::Patch => change(Edit::parts(cx, kind, data)?).await?.0,
            Verb::Delete => {
                directory.delete(cx, kind, id, &condition).await?;
                return Ok(None);
            }
        };
        Ok(Some(record.version))
    }

    /// Creates what refers to each other, in one batch.
    async fn circle(&self, circle: &[usize], refused: Option<ScimError>) -> Vec<(usize, Outcome)> {
        let refuse = |failed: usize, failure: Failure| {
            let mut failure = Some(failure);
            let outcome = |operation: &usize| {
                let own = if *operation == failed { failure.take() } else { None };
                let other = || {
                    ScimError::conflict(format!("it refers to what Operations[{failed}] did not create"))
                        .into()
                };
                (*operation, Err(own.unwrap_or_else(other)))
            };
            circle.iter().map(outcome).collect()
        };
        if let Some(error) = refused {
            return circle.iter().map(|operation| (*operation, Err(error.clone().into()))).collect();
        }
        let mut wishes = Vec::with_capacity(circle.len());
        for operation in circle {
            let Some(action) = self.action(*operation) else { continue };
            match Wish::of(self.cx, action, action.id(self.ids)) {
                Ok(wish) => wishes.push(wish),
                Err(error) => return refuse(*operation, error.into()),
            }
        }
        match self.directory.together(self.cx, wishes).await {
            Ok(records) => {
                let versions = records.into_iter().map(|record| Ok(record.map(|record| record.version)));
                circle.iter().copied().zip(versions).collect()
            }
            Err((index, failure)) => refuse(circle.get(index).copied().unwrap_or_default(), failure),
        }
    }
}
