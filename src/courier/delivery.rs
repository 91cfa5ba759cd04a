//! Delivering what is in the outbox, beside the server and beside other replicas.
//!
//! Invariant: who delivers a message has taken it first, for longer than a try lasts; a message of a replica that died is
//! taken again by another. A message that could not be delivered comes due again, later each time, until it is
//! of no use.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::{Either, select};

use crate::courier::Courier;
use crate::message::Message;
use crate::scim::key::parse_instant;
use crate::store::{Outgoing, Store, StoreError};

/// How often the outbox is looked into.
const PAUSE: Duration = Duration::from_millis(500);
/// How many messages are fetched at once.
const PAGE: i64 = 50;
/// How long a message is taken for: longer than any carrier's patience.
const LEASE: TimeDelta = TimeDelta::seconds(90);
/// How long after the first failure it is tried again; twice as long after the next, and so on.
const FIRST_WAIT: TimeDelta = TimeDelta::seconds(5);
/// The longest wait.
const LONGEST_WAIT: TimeDelta = TimeDelta::minutes(15);
/// How many rounds lie between two of sweeping out what has ended.
const ROUNDS_A_SWEEP: u32 = 600;

/// Delivers until `stop` is ready.
pub async fn deliver(store: Store, courier: Courier, stop: impl Future<Output = ()>) {
    let mut stop = pin!(stop);
    let mut round = 0_u32;
    loop {
        if let Err(error) = deliver_due(&store, &courier).await {
            tracing::warn!(error = error.to_string(), "the outbox cannot be read");
        }
        if round.is_multiple_of(ROUNDS_A_SWEEP) {
            sweep(&store).await;
        }
        round = round.wrapping_add(1);
        if let Either::Right(_) = select(pin!(tokio::time::sleep(PAUSE)), stop.as_mut()).await {
            return;
        }
    }
}

async fn deliver_due(store: &Store, courier: &Courier) -> Result<(), StoreError> {
    for mut outgoing in store.due(clock(), PAGE).await? {
        let now = clock();
        if !store.take(&outgoing, now + LEASE).await? {
            continue;
        }
        outgoing.attempts += 1;
        let is_late = parse_instant(&outgoing.expires).is_none_or(|end| end <= now);
        let done = is_late || try_once(courier, &outgoing).await;
        if done {
            store.settle(&outgoing).await?;
        } else {
            store.postpone(&outgoing, clock() + wait(outgoing.attempts)).await?;
        }
    }
    Ok(())
}

/// Tries once; answers whether it is over, well or not.
async fn try_once(courier: &Courier, outgoing: &Outgoing) -> bool {
    let Ok(message) = serde_json::from_str::<Message>(&outgoing.message) else {
        tracing::error!(id = outgoing.id, "a message in the outbox cannot be read");
        return true;
    };
    match courier.bring(&outgoing.id, &message).await {
        Ok(()) => {
            tracing::info!(id = outgoing.id, channel = message.channel.name(), "a message was delivered");
            true
        }
        Err(failure) => {
            let (cause, attempts) = (failure.cause, outgoing.attempts);
            tracing::warn!(
                id = outgoing.id,
                attempts,
                cause,
                given_up = failure.is_final,
                "a message did not arrive"
            );
            failure.is_final
        }
    }
}

fn wait(attempts: i64) -> TimeDelta {
    let doublings = u32::try_from(attempts - 1).unwrap_or_default().min(10);
    (FIRST_WAIT * 2_i32.pow(doublings)).min(LONGEST_WAIT)
}

/// Removes challenges and allowances that have ended, and what can no longer be restored.
async fn sweep(store: &Store) {
    let Ok(tenants) = store.list_tenants().await else { return };
    for tenant in tenants {
        let swept = match store.forget_ended(tenant.id, clock()).await {
            Ok(()) => store.purge_ended(tenant.id, clock()).await,
            failed => failed,
        };
        if let Err(error) = swept {
            tracing::warn!(error = error.to_string(), "what has ended cannot be removed");
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a delivery is no request: it has the time when it happens")]
pub(super) fn clock() -> DateTime<Utc> {
    Utc::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_end() {
        let waits: Vec<i64> = [1, 2, 3, 8, 9, 100].map(|attempts| wait(attempts).num_seconds()).to_vec();
        assert_eq!(waits, [5, 10, 20, 640, 900, 900]);
    }
}
