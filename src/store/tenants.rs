//! Tenants, their policies and their tokens.
//!
//! Invariant: a token is found by its hash within its tenant in one read; its text is nowhere. A tenant that is
//! deleted goes in pieces, tokens first, so that nobody writes into what is being removed.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::contact::Claims;
use crate::id::{ClientId, ResourceId, TenantId};
use crate::scim::key::Key;
use crate::scim::registry::ResourceType;
use crate::scim::schema::{ContactKind, Uniqueness};
use crate::store::Store;
use crate::store::batch::{Batch, Step};
use crate::store::driver::{Row, Statement, Value};
use crate::store::error::StoreError;
use crate::store::layout::{Place, contact_number};

/// How many resources, or rows of the change log, one batch removes with a tenant.
const ROWS_A_BATCH: i64 = 500;

/// A tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tenant {
    /// Its number.
    pub id: TenantId,
    /// Its name, which is unique.
    pub name: String,
    /// When it was created: a [`Key`] of an instant.
    pub created: String,
    /// Its policies, as text that the store does not read.
    pub policies: String,
}

/// An attribute that a policy makes unique in a tenant, or no longer does.
#[derive(Clone, Debug)]
pub struct UniquePath<'a> {
    /// The resource type.
    pub kind: &'a Arc<ResourceType>,
    /// The attribute's canonical path.
    pub path: &'a str,
    /// Whether it is unique from now on.
    pub unique: bool,
}

/// A token that is to be stored.
#[derive(Clone, Copy, Debug)]
pub struct NewToken<'a> {
    /// The hash of its text.
    pub hash: &'a [u8],
    /// What people call the client.
    pub name: &'a str,
    /// The client's profile.
    pub profile: &'a str,
    /// What it may do, as text that the store does not read.
    pub scopes: &'a str,
    /// The user that it is about.
    pub subject: Option<&'a ResourceId>,
    /// The token that it is given for.
    pub parent: Option<ClientId>,
    /// When it ends.
    pub expires: Option<DateTime<Utc>>,
}

/// A token as it is stored, without its hash. Times are [`Key`]s of instants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Its number within the tenant.
    pub id: ClientId,
    /// What people call the client.
    pub name: String,
    /// The client's profile.
    pub profile: String,
    /// What it may do.
    pub scopes: String,
    /// The user that it is about.
    pub subject: Option<ResourceId>,
    /// The token that it was given for.
    pub parent: Option<ClientId>,
    /// When it was made.
    pub created: String,
    /// When it ends.
    pub expires: Option<String>,
    /// When it was revoked.
    pub revoked: Option<String>,
}

/// What a token says about the tenant that it belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenOwner {
    /// The token.
    pub token: Token,
    /// The tenant's name.
    pub tenant_name: String,
    /// The tenant's policies.
    pub policies: String,
    /// Which change of the tenant's own schemas was the last; 0 if there was none.
    pub schemas: i64,
}

const TENANT_COLUMNS: &str = "SELECT t.tenant, t.name, t.created, t.policies FROM tenant t";
const TOKEN_COLUMNS: &str =
    "k.id, k.name, k.profile, k.scopes, k.subject, k.parent, k.created, k.expires, k.revoked";

impl Store {
    /// Creates a tenant.
    ///
    /// # Errors
    /// [`StoreError::Unique`] with the path `name` if there is one of that name.
    pub async fn create_tenant(&self, name: &str, now: DateTime<Utc>) -> Result<Tenant, StoreError> {
        let sql = "INSERT INTO tenant (name, created, policies) VALUES ($1, $2, '') \
                   RETURNING tenant, name, created, policies";
        let step = Step::new(sql, vec![name.into(), instant(now)]).unique("name");
        let rows = self.driver().write(step.into()).await?;
        let missing = || StoreError::internal("a new tenant was not returned");
        tenant(rows.into_iter().next().ok_or_else(missing)?)
    }

    /// All tenants, in the order in which they were created.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] or [`StoreError::Corrupt`].
    pub async fn list_tenants(&self) -> Result<Vec<Tenant>, StoreError> {
        let statement = Statement::new(format!("{TENANT_COLUMNS} ORDER BY t.tenant"), Vec::new());
        self.driver().scan(statement).await?.into_iter().map(tenant).collect()
    }

    /// The tenant of that name.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] or [`StoreError::Corrupt`].
    pub async fn find_tenant(&self, name: &str) -> Result<Option<Tenant>, StoreError> {
        let statement = Statement::new(format!("{TENANT_COLUMNS} WHERE t.name = $1"), vec![name.into()]);
        self.driver().point(&statement).await?.into_iter().next().map(tenant).transpose()
    }

    /// Deletes a tenant's tokens, so that nobody who comes now gets in.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] or [`StoreError::Corrupt`].
    pub async fn delete_tokens(&self, id: TenantId) -> Result<(), StoreError> {
        let step = Step::new("DELETE FROM token WHERE tenant = $1", vec![id.0.into()]);
        self.driver().write(step.into()).await.map(drop)
    }

    /// The name of a tenant.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] or [`StoreError::Corrupt`].
    pub async fn tenant_name(&self, id: TenantId) -> Result<Option<String>, StoreError> {
        let statement = Statement::new("SELECT t.name FROM tenant t WHERE t.tenant = $1", vec![id.0.into()]);
        self.driver().point(&statement).await?.into_iter().next().map(|mut row| row.text()).transpose()
    }

    /// Deletes a tenant with everything in it, in several batches. When it fails half-way it can be called again.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] or [`StoreError::Corrupt`].
    pub async fn delete_tenant(&self, id: TenantId) -> Result<(), StoreError> {
        self.delete_tokens(id).await?;
        let id = Value::from(id.0);
        let some = "IN (SELECT r.pk FROM resource r WHERE r.tenant = $1 ORDER BY r.kind, r.pk LIMIT $2)";
        let tenant = self.driver().dialect().tested("tenant");
        self.delete_in_pieces(&id, || {
            vec![
                format!("DELETE FROM fact WHERE tenant = $1 AND resource {some}"),
                format!("DELETE FROM contact WHERE tenant = $1 AND resource {some}"),
                format!("DELETE FROM membership WHERE tenant = $1 AND grp {some}"),
                format!("DELETE FROM bag WHERE tenant = $1 AND resource {some}"),
                format!("DELETE FROM challenge WHERE tenant = $1 AND resource {some}"),
                format!("DELETE FROM resource WHERE {tenant} = $1 AND pk {some} RETURNING pk"),
            ]
        })
        .await?;
        self.delete_in_pieces(&id, || {
            let some = "IN (SELECT c.seq FROM change c WHERE c.tenant = $1 ORDER BY c.tx, c.seq LIMIT $2)";
            vec![format!("DELETE FROM change WHERE tenant = $1 AND seq {some} RETURNING seq")]
        })
        .await?;
        let mut rest = Batch::default();
        rest.push(Step::new("DELETE FROM counter WHERE tenant = $1", vec![id.clone()]));
        rest.push(Step::new("DELETE FROM deleted WHERE tenant = $1", vec![id.clone()]));
        rest.push(Step::new("DELETE FROM deleted_membership WHERE tenant = $1", vec![id.clone()]));
        rest.push(Step::new("DELETE FROM bag WHERE tenant = $1", vec![id.clone()]));
        rest.push(Step::new("DELETE FROM outbox WHERE tenant = $1", vec![id.clone()]));
        rest.push(Step::new("DELETE FROM allowance WHERE tenant = $1", vec![id.clone()]));
        rest.push(Step::new("DELETE FROM import WHERE tenant = $1", vec![id.clone()]));
        rest.push(Step::new("DELETE FROM schema_document WHERE tenant = $1", vec![id.clone()]));
        rest.push(Step::new("DELETE FROM schema_change WHERE tenant = $1", vec![id.clone()]));
        rest.push(Step::new("DELETE FROM tenant WHERE tenant = $1", vec![id]));
        self.driver().write(rest).await.map(drop)
    }

    /// Repeats the statements until the last one returns no more rows.
    async fn delete_in_pieces(
        &self,
        tenant: &Value,
        statements: impl Fn() -> Vec<String>,
    ) -> Result<(), StoreError> {
        loop {
            let mut batch = Batch::default();
            for sql in statements() {
                batch.push(Step::new(sql, vec![tenant.clone(), ROWS_A_BATCH.into()]));
            }
            if self.driver().write(batch).await?.is_empty() {
                return Ok(());
            }
        }
    }

    /// A tenant's policies, as they were set; nothing if there is no such tenant.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] or [`StoreError::Corrupt`].
    pub async fn policies(&self, tenant: TenantId) -> Result<String, StoreError> {
        let sql = "SELECT t.policies FROM tenant t WHERE t.tenant = $1";
        let rows = self.driver().point(&Statement::new(sql, vec![tenant.0.into()])).await?;
        rows.into_iter().next().map_or(Ok(String::new()), |mut row| row.text())
    }

    /// Sets a tenant's policies, which attributes are unique beside those that the schema makes so, and which contacts
    /// claim their value.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if the policies are no longer `before`;
    /// [`StoreError::Unique`] with the path if the tenant already holds the same value twice; nothing is changed then.
    pub async fn set_policies(
        &self,
        tenant: TenantId,
        before: &str,
        policies: &str,
        paths: &[UniquePath<'_>],
        claims: Claims,
    ) -> Result<(), StoreError> {
        let mut batch = Batch::default();
        let sql = "UPDATE tenant SET policies = $2 WHERE tenant = $1 AND policies = $3";
        batch.push(Step::new(sql, vec![tenant.0.into(), policies.into(), before.into()]).or_conflict());
        for UniquePath { kind, path, unique } in paths {
            let attributes = kind.all_attributes().flat_map(|a| std::iter::once(a).chain(&a.sub_attributes));
            let attribute = attributes.into_iter().find(|attribute| attribute.path == *path);
            let layout = self.layout().kind(kind)?;
            let place = attribute.map(|attribute| layout.place(attribute));
            let (Some(attribute), Some(Place::Fact(number))) = (attribute, place) else {
                return Err(StoreError::internal(format!("{path} cannot be made unique")));
            };
            let unique = *unique || attribute.uniqueness != Uniqueness::None;
            let space = if unique { layout.space(attribute, number) } else { 0 };
            let sql = "UPDATE fact SET uniq = $3 WHERE tenant = $1 AND path = $2 AND uniq <> $3 AND key > ''";
            batch.push(Step::new(sql, vec![tenant.0.into(), number.into(), space.into()]).unique(path));
        }
        self.claim(tenant, claims, &mut batch);
        self.driver().write(batch).await.map(drop)
    }

    /// Takes the claims that the policy does not give, and gives those that it does.
    fn claim(&self, tenant: TenantId, claims: Claims, batch: &mut Batch) {
        let same = "tenant = $1 AND o.resource = contact.resource AND o.kind = contact.kind \
                    AND o.canonical = contact.canonical";
        let verified = "contact.verified_at IS NOT NULL";
        let mut params = vec![tenant.0.into()];
        let wants = match claims {
            Claims::None => "1 = 0".to_owned(),
            Claims::All => "1 = 1".to_owned(),
            Claims::Verified => verified.to_owned(),
            Claims::PrimaryOrVerified => {
                format!(
                    "({verified} OR EXISTS (SELECT 1 FROM contact o WHERE o.{same} AND o.is_primary = 1))"
                )
            }
            Claims::Login => {
                params.push(self.layout().login_ids().into());
                "EXISTS (SELECT 1 FROM fact f WHERE f.tenant = $1 AND f.path = $2 \
                 AND f.resource = contact.resource AND f.key = contact.canonical)"
                    .to_owned()
            }
        };
        let wants = format!(
            "contact.value IS NOT NULL AND contact.canonical > '' AND {wants} \
             AND NOT EXISTS (SELECT 1 FROM contact o WHERE o.{same} AND o.ordinal < contact.ordinal)"
        );
        let take = format!("UPDATE contact SET claim = 0 WHERE tenant = $1 AND claim = 1 AND NOT ({wants})");
        batch.push(Step::new(take, params.clone()));
        for kind in ContactKind::ALL {
            let mut params = params.clone();
            params.push(contact_number(kind).into());
            let kind_is = format!("kind = ${}", params.len());
            let give = format!(
                "UPDATE contact SET claim = 1 WHERE tenant = $1 AND {kind_is} AND claim = 0 AND {wants}"
            );
            batch.push(Step::new(give, params).unique(kind.attribute()));
        }
    }

    /// Stores a token.
    ///
    /// # Errors
    /// [`StoreError::Unique`] with the path `hash` if the tenant has it already; [`StoreError::Conflict`] if there is
    /// no such tenant.
    pub async fn insert_token(
        &self,
        tenant: TenantId,
        token: &NewToken<'_>,
        now: DateTime<Utc>,
    ) -> Result<Token, StoreError> {
        let sql = "INSERT INTO token (tenant, id, hash, name, profile, scopes, subject, parent, created, expires) \
                   SELECT $1, COALESCE(MAX(t.id), 0) + 1, $2, $3, $4, $5, $6, $7, $8, $9 FROM token t \
                   WHERE t.tenant = $1 \
                   RETURNING id, name, profile, scopes, subject, parent, created, expires, revoked";
        let params = vec![
            tenant.0.into(),
            Value::Blob(token.hash.to_vec()),
            token.name.into(),
            token.profile.into(),
            token.scopes.into(),
            token.subject.map(ResourceId::as_str).into(),
            token.parent.map(|parent| parent.0).into(),
            instant(now),
            token.expires.map(instant).into(),
        ];
        let mut batch = Batch::default();
        // One at a time in a tenant, or two tokens would get one number.
        let lock = "UPDATE tenant SET name = name WHERE tenant = $1";
        batch.push(Step::new(lock, vec![tenant.0.into()]).or_conflict());
        if let Some(parent) = token.parent {
            let ended = "DELETE FROM token WHERE tenant = $1 AND parent = $2 AND expires <= $3";
            batch.push(Step::new(ended, vec![tenant.0.into(), parent.0.into(), instant(now)]));
        }
        batch.push(Step::new(sql, params).unique("hash"));
        let rows = self.driver().write(batch).await?;
        let missing = || StoreError::internal("a new token was not returned");
        read_token(&mut rows.into_iter().next().ok_or_else(missing)?)
    }

    /// The token of the tenant with that hash, be it in force or not.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] or [`StoreError::Corrupt`].
    pub async fn find_token(&self, tenant: TenantId, hash: &[u8]) -> Result<Option<TokenOwner>, StoreError> {
        let sql = format!(
            "SELECT {TOKEN_COLUMNS}, t.name, t.policies, t.schemas FROM token k JOIN tenant t ON t.tenant = k.tenant \
             WHERE k.tenant = $1 AND k.hash = $2"
        );
        let statement = Statement::new(sql, vec![tenant.0.into(), Value::Blob(hash.to_vec())]);
        let Some(mut row) = self.driver().point(&statement).await?.into_iter().next() else {
            return Ok(None);
        };
        let token = read_token(&mut row)?;
        Ok(Some(TokenOwner { token, tenant_name: row.text()?, policies: row.text()?, schemas: row.int()? }))
    }

    /// The tenant's tokens, in the order in which they were made, but for those that were given for others.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] or [`StoreError::Corrupt`].
    pub async fn list_tokens(&self, tenant: TenantId) -> Result<Vec<Token>, StoreError> {
        let sql = format!(
            "SELECT {TOKEN_COLUMNS} FROM token k WHERE k.tenant = $1 AND k.parent IS NULL ORDER BY k.id"
        );
        let rows = self.driver().scan(Statement::new(sql, vec![tenant.0.into()])).await?;
        rows.into_iter().map(|mut row| read_token(&mut row)).collect()
    }

    /// Revokes a token and those that were given for it; answers whether there was one that was not revoked yet.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] or [`StoreError::Corrupt`].
    pub async fn revoke_token(
        &self,
        tenant: TenantId,
        token: ClientId,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let sql = "UPDATE token SET revoked = $3 WHERE tenant = $1 AND (id = $2 OR parent = $2) AND revoked IS NULL \
                   RETURNING id";
        let step = Step::new(sql, vec![tenant.0.into(), token.0.into(), instant(now)]);
        Ok(!self.driver().write(step.into()).await?.is_empty())
    }

    /// How many tokens there are in all tenants, revoked ones too: none means that nobody can get in yet.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] or [`StoreError::Corrupt`].
    pub async fn count_tokens(&self) -> Result<i64, StoreError> {
        let statement = Statement::new("SELECT COUNT(*) FROM token", Vec::new());
        let rows = self.driver().point(&statement).await?;
        rows.into_iter().next().map_or(Ok(0), |mut row| row.int())
    }
}

fn instant(instant: DateTime<Utc>) -> Value {
    Key::of_instant(instant).as_str().into()
}

fn tenant(mut row: Row) -> Result<Tenant, StoreError> {
    Ok(Tenant { id: TenantId(row.int()?), name: row.text()?, created: row.text()?, policies: row.text()? })
}

fn read_token(row: &mut Row) -> Result<Token, StoreError> {
    Ok(Token {
        id: ClientId(row.int()?),
        name: row.text()?,
        profile: row.text()?,
        scopes: row.text()?,
        subject: row.maybe_text()?.map(ResourceId::from_text),
        parent: row.maybe_int()?.map(ClientId),
        created: row.text()?,
        expires: row.maybe_text()?,
        revoked: row.maybe_text()?,
    })
}
