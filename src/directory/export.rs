//! Export: everything of a tenant as lines of JSON, which `muster import` reads.
//!
//! Invariant: a line is complete by itself, ids are kept, and memberships come after all resources, so that whoever
//! reads the lines in order never meets a member before its group. Memory holds one page.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde_json::{Value, json};

use crate::context::Caller;
use crate::directory::render::instant;
use crate::directory::{Directory, Failure};
use crate::scim::registry::ResourceType;
use crate::scim::version::etag;
use crate::store::Record;

/// How many resources, or memberships, are read at a time.
const PAGE: u32 = 1000;

/// A walk over a tenant.
pub struct Export {
    directory: Directory,
    caller: Arc<Caller>,
    at: At,
}

/// How far the walk has come.
enum At {
    /// The index of the resource type, and the last `pk`.
    Resources(usize, i64),
    /// The last membership.
    Memberships((i64, String)),
    End,
}

impl Directory {
    /// Begins an export of the caller's tenant.
    pub fn export(&self, caller: Arc<Caller>) -> Export {
        Export { directory: self.clone(), caller, at: At::Resources(0, 0) }
    }

    /// How many resources the caller's tenant has.
    ///
    /// # Errors
    /// [`Failure::Store`].
    pub async fn count(&self, caller: &Caller) -> Result<u64, Failure> {
        let mut total = 0;
        for kind in caller.registry.types() {
            total += self.store.count(caller.tenant, kind).await?;
        }
        Ok(total)
    }
}

impl Export {
    /// The next lines, without line ends; none when there are no more.
    ///
    /// # Errors
    /// [`Failure::Store`].
    pub async fn next(&mut self) -> Result<Option<Vec<String>>, Failure> {
        loop {
            let lines = match &self.at {
                At::Resources(index, after) => self.resources(*index, *after).await?,
                At::Memberships(after) => self.memberships(after.clone()).await?,
                At::End => return Ok(None),
            };
            if !lines.is_empty() {
                return Ok(Some(lines));
            }
        }
    }

    async fn resources(&mut self, index: usize, after: i64) -> Result<Vec<String>, Failure> {
        let Some(kind) = self.caller.registry.types().get(index).cloned() else {
            self.at = At::Memberships((0, String::new()));
            return Ok(Vec::new());
        };
        let records = self.directory.store.resources_after(self.caller.tenant, &kind, after, PAGE).await?;
        self.at = match records.last() {
            Some(last) => At::Resources(index, last.pk),
            None => At::Resources(index + 1, 0),
        };
        let pks: Vec<i64> = records.iter().map(|record| record.pk).collect();
        let mut bags: HashMap<i64, BTreeMap<String, String>> = HashMap::new();
        for (pk, name, content) in self.directory.store.bags(self.caller.tenant, &pks).await? {
            bags.entry(pk).or_default().insert(name, content);
        }
        Ok(records.iter().map(|record| resource_line(&kind, record, bags.remove(&record.pk))).collect())
    }

    async fn memberships(&mut self, after: (i64, String)) -> Result<Vec<String>, Failure> {
        let store = &self.directory.store;
        let page = store.memberships_after(self.caller.tenant, &after, PAGE).await?;
        self.at = page.last().map_or(At::End, |last| At::Memberships(last.clone()));
        let mut groups: Vec<i64> = page.iter().map(|(group, _)| *group).collect();
        groups.dedup();
        let ids: HashMap<_, _> = store.ids_of(self.caller.tenant, &groups).await?.into_iter().collect();
        let line = |members: &[(i64, String)]| {
            let (group, _) = members.first()?;
            let id = ids.get(group)?;
            let members: Vec<&str> = members.iter().map(|(_, member)| member.as_str()).collect();
            Some(json!({"membership": {"group": id.as_str(), "members": members}}).to_string())
        };
        Ok(page.chunk_by(|a, b| a.0 == b.0).filter_map(line).collect())
    }
}

/// The stored document with `meta` behind its last member, as it is; beside it what is never returned, and the bags.
fn resource_line(kind: &ResourceType, record: &Record, bags: Option<BTreeMap<String, String>>) -> String {
    let meta = json!({
        "resourceType": kind.name,
        "created": instant(&record.created).concat(),
        "lastModified": instant(&record.modified).concat(),
        "version": etag(record.version),
    });
    let document = record.document.strip_suffix('}').unwrap_or(&record.document);
    let name = Value::from(kind.name.as_str());
    let secrets = record.secret.as_ref().map_or_else(String::new, |secret| format!(",\"secrets\":{secret}"));
    let bags = bags.map_or_else(String::new, |bags| {
        let bag = |(name, content): (String, String)| format!("{}:{content}", Value::from(name));
        format!(",\"bags\":{{{}}}", bags.into_iter().map(bag).collect::<Vec<_>>().join(","))
    });
    format!("{{\"type\":{name},\"resource\":{document},\"meta\":{meta}}}{secrets}{bags}}}")
}
