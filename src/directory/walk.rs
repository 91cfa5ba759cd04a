//! Paging by cursor (RFC 9865): a walk over the matches of a query, a page at a time.
//!
//! Invariant: a page begins behind the resource that the one before ended with, so whoever is there throughout is met
//! exactly once. Servers keep nothing of a walk. The total is counted when it begins, not on every page.

use std::sync::Arc;

use chrono::SubsecRound as _;

use crate::context::Context;
use crate::directory::{Directory, Entry, Failure, Listing, too_complex};
use crate::scim::cursor::{Cursor, NONCE};
use crate::scim::error::{ErrorKind, ScimError};
use crate::scim::listing::ListQuery;
use crate::scim::projection::Projection;
use crate::scim::registry::ResourceType;
use crate::store::{Position, Search, StoreError};

impl Directory {
    /// The page that a cursor asks for.
    pub(super) async fn page_at(
        &self,
        cx: &Context,
        (kinds, query, projection): (&[Arc<ResourceType>], &ListQuery, &Projection),
        mut search: Search,
        cursor: &str,
    ) -> Result<Listing, Failure> {
        let (tenant, secret) = (cx.caller.tenant, self.store.seal_key());
        let bound = bound(cx, kinds, query, projection);
        let earlier = match cursor {
            "" => None,
            text => Some(Cursor::open(text, &secret, &bound, cx.now)?),
        };
        let limit = search.limit;
        if earlier.as_ref().is_some_and(|earlier| earlier.count != limit) {
            let detail = "count must be what it was for the first page";
            return Err(ScimError::new(ErrorKind::InvalidCount, detail).into());
        }
        let total = match &earlier {
            Some(earlier) => earlier.total,
            None => {
                search.limit = 0;
                self.store.search(tenant, &search).await.map_err(too_complex)?.total
            }
        };
        search.limit = limit;
        let after = earlier.map(|earlier| Position { key: earlier.key, pk: earlier.row });
        let stretch = self.store.search_after(tenant, &search, after.as_ref()).await.map_err(too_complex)?;
        let next = match stretch.end {
            None => None,
            Some(Position { key, pk }) => {
                let given = cx.now.trunc_subsecs(0);
                let cursor = Cursor { given, count: limit, total, key, row: pk };
                let mut nonce = [0; NONCE];
                getrandom::fill(&mut nonce)
                    .map_err(|error| Failure::Store(StoreError::no_randomness(&error.to_string())))?;
                cursor.seal(&secret, &bound, nonce)
            }
        };
        let records = stretch.records.into_iter();
        let entries = records.filter_map(|(scope, record)| Some(self.entry(cx, kinds.get(scope)?, record)));
        let mut entries: Vec<Entry> = entries.collect();
        self.load_groups(cx, &mut entries, projection).await?;
        self.finish(cx, &mut entries, projection).await?;
        Ok(Listing { total, start_index: None, next_cursor: next, entries })
    }
}

/// What a cursor is bound to: the tenant, and all that a client must repeat (RFC 9865 §2).
fn bound(cx: &Context, kinds: &[Arc<ResourceType>], query: &ListQuery, projection: &Projection) -> String {
    let names: Vec<&str> = kinds.iter().map(|kind| kind.name.as_str()).collect();
    let ListQuery { filter, sort_by, sort_order, .. } = query;
    let parts = (names, filter, sort_by, sort_order, projection);
    format!("{} {parts:?}", cx.caller.tenant)
}
