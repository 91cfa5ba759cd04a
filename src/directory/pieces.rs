//! A representation in pieces, for groups with more members than memory should hold at once.
//!
//! Invariant: a piece has a bounded number of members, and is read when the one before it was taken. Pieces are moments of
//! their own: a member that others add or remove meanwhile is shown or not. The ETag is that of the first moment, so
//! a write that is based on such a mixture fails its precondition.

use crate::directory::entry::{Entry, Members};
use crate::directory::render::{self, Link};
use crate::directory::{Directory, Failure};
use crate::id::TenantId;
use crate::scim::projection::Projection;

/// How many members a response holds at most, in all its resources, that is made in one piece; and how many a piece has.
pub(super) const MEMBERS_AT_ONCE: u32 = 1000;

/// A part of a response.
pub enum Piece {
    /// Text.
    Text(Vec<u8>),
    /// Members that are yet to be read.
    Members(Box<Reading>),
}

/// A response that is being put together: text, and where members belong.
#[derive(Default)]
pub struct Pieces {
    done: Vec<Piece>,
    /// The text behind them.
    pub text: Vec<u8>,
}

impl Pieces {
    /// Ends the text with members that are yet to be read.
    fn push(&mut self, reading: Reading) {
        self.done.push(Piece::Text(std::mem::take(&mut self.text)));
        self.done.push(Piece::Members(Box::new(reading)));
    }

    /// All of it, in order.
    pub fn finish(mut self) -> Vec<Piece> {
        self.done.push(Piece::Text(self.text));
        self.done
    }
}

/// A group's members, from the first to the last.
pub(super) struct Walk {
    directory: Directory,
    tenant: TenantId,
}

/// The members of a group that is being shown.
pub struct Reading {
    walk: Walk,
    entry: Entry,
    base: String,
    projection: Projection,
    last: Option<String>,
}

impl Entry {
    /// Writes the representation behind what is there, which is text unless a group has many members.
    pub fn pieces(mut self, base: &str, projection: &Projection, out: &mut Pieces) {
        self.write(base, projection, &mut out.text);
        let Members::Unread(walk) = std::mem::replace(&mut self.members, Members::Hidden) else { return };
        out.text.pop();
        if out.text.last() != Some(&b'{') {
            out.text.push(b',');
        }
        out.text.extend_from_slice(b"\"members\":[");
        let (base, projection) = (base.to_owned(), projection.clone());
        out.push(Reading { walk, entry: self, base, projection, last: None });
        out.text.extend_from_slice(b"]}");
    }
}

impl Reading {
    /// The next members, with commas between and before them; none at the end.
    ///
    /// # Errors
    /// [`Failure::Store`].
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, Failure> {
        let Walk { directory, tenant } = &self.walk;
        let after = self.last.as_deref().unwrap_or_default();
        let pk = self.entry.record.pk;
        let members = directory.store.members_after(*tenant, pk, after, MEMBERS_AT_ONCE).await?;
        let Some(last) = members.last() else { return Ok(None) };
        let is_first = self.last.replace(last.id.clone()).is_none();
        let link = |member| Link::to_member(member, &self.base, self.entry.kind_of(member));
        let mut text = Vec::new();
        render::links(&mut text, members.iter().map(link));
        let text = self.entry.shown_members(text, &self.projection);
        let inner = text.strip_prefix(b"[").and_then(|text| text.strip_suffix(b"]")).unwrap_or_default();
        Ok(Some(if is_first { inner.to_vec() } else { [b",", inner].concat() }))
    }
}

impl Directory {
    /// The members of a group, unread.
    pub(super) fn walk(&self, tenant: TenantId) -> Members {
        Members::Unread(Walk { directory: self.clone(), tenant })
    }
}
