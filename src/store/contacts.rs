//! The contact rows of a mutation: what goes, what moves, what comes.
//!
//! Invariant: a row stays while its value does, wherever that stands; a claim moves only after it was given up; and with a
//! value the challenges go that were about it.

use std::collections::{BTreeMap, HashMap, VecDeque};

use crate::scim::schema::ContactKind;
use crate::store::batch::{Batch, Step};
use crate::store::beside;
use crate::store::driver::Value;
use crate::store::layout::contact_number;
use crate::store::rows::{ContactRow, SideRows};
use crate::store::write::Write;

impl Write<'_> {
    pub(super) fn insert_contact(&self, row: &ContactRow) -> Step {
        let sql = "INSERT INTO contact (tenant, kind, key, resource, ordinal, long, value, canonical, type, \
                   type_key, display, display_key, is_primary, id, long_canonical, created, verified_at, \
                   verified_by, claim) \
                   VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)";
        claiming(Step::new(sql, self.contact_params(row)), row)
    }

    fn contact_params(&self, row: &ContactRow) -> Vec<Value> {
        vec![
            self.tenant(),
            contact_number(row.kind).into(),
            row.key.as_str().into(),
            self.pk.into(),
            row.ordinal.into(),
            row.long.as_deref().into(),
            row.value.as_deref().into(),
            row.canonical.as_str().into(),
            row.label.as_deref().into(),
            row.label_key.as_deref().into(),
            row.display.as_deref().into(),
            row.display_key.as_deref().into(),
            row.primary.into(),
            row.id.as_str().into(),
            row.long_canonical.as_deref().into(),
            row.created.as_deref().into(),
            row.verified_at.as_deref().into(),
            row.verified_by.as_deref().into(),
            row.claim.into(),
        ]
    }

    /// Writes the difference. A row that still says the same stays, also where it moves; no two rows can meet,
    /// because a row moves only to a place where something else was.
    pub(super) fn move_contacts(&self, old: &SideRows, new: &SideRows, batch: &mut Batch) {
        let place = |row: &ContactRow| (contact_number(row.kind), row.ordinal);
        let mut free: BTreeMap<_, &ContactRow> = old.contacts.iter().map(|row| (place(row), row)).collect();
        let (stay, rest): (Vec<_>, Vec<_>) = new
            .contacts
            .iter()
            .partition(|row| free.get(&place(row)).is_some_and(|there| there.canonical == row.canonical));
        let stay: Vec<_> = stay.into_iter().map(|row| (row, free.remove(&place(row)))).collect();
        let mut by_text: HashMap<(ContactKind, &str), VecDeque<&ContactRow>> = HashMap::new();
        for row in free.into_values() {
            by_text.entry((row.kind, &row.canonical)).or_default().push_back(row);
        }
        let moved: Vec<_> = rest
            .into_iter()
            .map(|row| {
                let same = by_text.get_mut(&(row.kind, row.canonical.as_str()));
                (row, same.and_then(VecDeque::pop_front))
            })
            .collect();
        for gone in by_text.into_values().flatten() {
            batch.push(self.delete_contact(gone));
            let is_left = |row: &&ContactRow| row.kind == gone.kind && row.canonical == gone.canonical;
            if !new.contacts.iter().any(|row| is_left(&row)) {
                batch.push(beside::revoke(self.mutation.tenant, self.pk, gone.kind, &gone.canonical));
            }
        }
        let mut all: Vec<_> = stay.into_iter().chain(moved).collect();
        // Between rows of one value a claim moves only after it was given up.
        all.sort_by_key(|(row, _)| row.claim);
        for (row, earlier) in all {
            match earlier {
                Some(earlier) if earlier == row => {}
                Some(earlier) => batch.push(self.replace_contact(earlier, row)),
                None => batch.push(self.insert_contact(row)),
            }
        }
    }

    pub(super) fn delete_contact(&self, row: &ContactRow) -> Step {
        let sql = "DELETE FROM contact WHERE tenant = $1 AND kind = $2 AND key = $3 AND resource = $4 AND ordinal = $5";
        let params = vec![
            self.tenant(),
            contact_number(row.kind).into(),
            row.key.as_str().into(),
            self.pk.into(),
            row.ordinal.into(),
        ];
        Step::new(sql, params).or_corrupt("a contact row is missing")
    }

    pub(super) fn replace_contact(&self, earlier: &ContactRow, row: &ContactRow) -> Step {
        let sql = "UPDATE contact SET key = $3, ordinal = $5, long = $6, value = $7, canonical = $8, type = $9, \
                   type_key = $10, display = $11, display_key = $12, is_primary = $13, id = $14, \
                   long_canonical = $15, created = $16, verified_at = $17, verified_by = $18, claim = $19 \
                   WHERE tenant = $1 AND kind = $2 AND key = $20 AND resource = $4 AND ordinal = $21";
        let mut params = self.contact_params(row);
        params.extend([earlier.key.as_str().into(), earlier.ordinal.into()]);
        claiming(Step::new(sql, params).or_corrupt("a contact row is missing"), row)
    }
}

/// Names the attribute that is taken where the row's claim is refused.
fn claiming(step: Step, row: &ContactRow) -> Step {
    if row.claim { step.unique(row.kind.attribute()) } else { step }
}
