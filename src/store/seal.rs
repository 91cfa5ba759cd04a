//! The key that all servers of a database share, for what clients carry between them.
//!
//! Invariant: it is made once, by whoever comes first, and never changes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use crate::store::Store;
use crate::store::batch::Step;
use crate::store::driver::{Driver, Statement};
use crate::store::error::StoreError;

/// The key of cursors.
pub type SealKey = [u8; 32];

impl Store {
    /// The key that cursors are sealed with.
    pub fn seal_key(&self) -> SealKey {
        self.inner.seal
    }
}

/// Reads the key, after making it if there is none.
pub(super) async fn load(driver: &Driver) -> Result<SealKey, StoreError> {
    if let Some(key) = read(driver).await? {
        return Ok(key);
    }
    let mut key = SealKey::default();
    getrandom::fill(&mut key).map_err(|error| StoreError::no_randomness(&error.to_string()))?;
    let sql = "INSERT INTO seal (name, secret) VALUES ('cursor', $1) ON CONFLICT (name) DO NOTHING";
    driver.write(Step::new(sql, vec![STANDARD_NO_PAD.encode(key).into()]).into()).await?;
    // Another server may have been faster.
    read(driver).await?.ok_or_else(|| StoreError::corrupt("the key of cursors was not kept"))
}

async fn read(driver: &Driver) -> Result<Option<SealKey>, StoreError> {
    let sql = "SELECT l.secret FROM seal l WHERE l.name = 'cursor'";
    let Some(mut row) = driver.point(&Statement::new(sql, Vec::new())).await?.into_iter().next() else {
        return Ok(None);
    };
    let key = STANDARD_NO_PAD.decode(row.text()?).ok().and_then(|key| key.try_into().ok());
    key.map(Some).ok_or_else(|| StoreError::corrupt("the key of cursors is none"))
}
