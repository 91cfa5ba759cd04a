//! Verification: started, sent again, completed with a code.

use actix_web::HttpResponse;
use chrono::{DateTime, TimeDelta, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::contact::Primary;
use crate::context::Permission;
use crate::http::api::{Answer as Reply, Call, Operation, Run, answer, schema};
use crate::http::error::Failure;
use crate::http::identity::failing::refuse;
use crate::http::identity::view::{Kind, ShownUser};
use crate::identity::{Answer, Complete, Delivery, Method, Start, Started};

pub(super) const START: Operation = Operation {
    method: "POST",
    path: "/identity/v1/users/{id}/verifications",
    summary: "Verify an e-mail address or phone number by a code or a link",
    takes: Some(schema::<NewVerification>),
    answers: &[
        Reply(201, "It has begun", Some(schema::<Begun>)),
        Reply(404, "There is no such user or contact", None),
        Reply(409, "Another user has verified the value", None),
        Reply(429, "Enough was sent for now", None),
    ],
    run: Run::For(Permission::WriteIdentity, |call| Box::pin(start(call))),
};

pub(super) const RESEND: Operation = Operation {
    method: "POST",
    path: "/identity/v1/users/{id}/verifications/resend",
    summary: "Begin a verification anew: the same value, a new code or link",
    takes: Some(schema::<NewVerification>),
    answers: &[
        Reply(200, "It has begun anew", Some(schema::<Begun>)),
        Reply(404, "There is no such user, or nothing is being verified", None),
        Reply(429, "Enough was sent for now", None),
    ],
    run: Run::For(Permission::WriteIdentity, |call| Box::pin(resend(call))),
};

pub(super) const COMPLETE: Operation = Operation {
    method: "POST",
    path: "/identity/v1/users/{id}/verifications/complete",
    summary: "Complete a verification with the code",
    takes: Some(schema::<Code>),
    answers: &[
        Reply(200, "The user; the value is verified", Some(schema::<ShownUser>)),
        Reply(400, "The code is wrong, was used, or has expired", None),
        Reply(404, "There is no such user, or nothing is being verified", None),
        Reply(409, "Another user has verified the value", None),
        Reply(429, "The code was guessed at too often", None),
    ],
    run: Run::For(Permission::WriteIdentity, |call| Box::pin(complete(call))),
};

/// A verification that is to begin.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewVerification {
    /// What is verified.
    kind: Kind,
    /// The address or number: one of the user's, or one that the user gets by this; the primary one if it is missing.
    value: Option<String>,
    /// How: `code` or `link`; links are for e-mail addresses.
    #[serde(default)]
    method: MethodName,
    /// Whether the code or link is sent, or returned to the caller.
    #[serde(default)]
    delivery: DeliveryName,
    /// Where the browser goes after the link; under one of the tenant's redirect-urls.
    redirect_uri: Option<String>,
    /// For how many seconds it counts; an hour, or ten minutes for a code that is sent.
    expires_in: Option<u32>,
    /// Whether the value becomes primary when it is verified; if it is missing, it does where no verified one is.
    make_primary: Option<bool>,
}

#[derive(Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum MethodName {
    #[default]
    Code,
    Link,
}

#[derive(Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum DeliveryName {
    #[default]
    Send,
    Return,
}

/// A verification that has begun.
#[derive(Serialize, JsonSchema)]
struct Begun {
    /// When it ends.
    expires: DateTime<Utc>,
    /// Whether a message goes out; not if the server has nothing to send it with.
    sent: bool,
    /// The code, if it was to be returned.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<String>,
    /// The link, if it was to be returned.
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<String>,
}

/// The code that came back.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Code {
    /// What is verified.
    kind: Kind,
    /// The address or number; if it is missing, the one that was asked about last.
    value: Option<String>,
    /// The code.
    code: String,
    /// Whether the value becomes primary; if it is missing, what was said when it began.
    make_primary: Option<bool>,
}

fn primary(wanted: Option<bool>) -> Primary {
    match wanted {
        None => Primary::UnlessVerified,
        Some(true) => Primary::Yes,
        Some(false) => Primary::Auto,
    }
}

impl NewVerification {
    fn into_start(self, call: &Call) -> Result<Start, Failure> {
        let method = match self.method {
            MethodName::Code => Method::DIGITS,
            MethodName::Link => Method::Link { base: call.base()?, redirect: self.redirect_uri },
        };
        Ok(Start {
            kind: self.kind.into(),
            value: self.value,
            pending: true,
            method,
            delivery: match self.delivery {
                DeliveryName::Send => Delivery::Send,
                DeliveryName::Return => Delivery::Return,
            },
            lifetime: self.expires_in.map(|seconds| TimeDelta::seconds(i64::from(seconds))),
            primary: primary(self.make_primary),
            wording: None,
        })
    }
}

impl Begun {
    fn of(started: Started, method: &Method) -> Self {
        let Started { secret, sent, expires } = started;
        let (code, link) = match method {
            Method::Code(..) => (secret, None),
            Method::Link { .. } => (None, secret),
        };
        Self { expires, sent, code, link }
    }
}

async fn start(mut call: Call) -> Result<HttpResponse, Failure> {
    let new: NewVerification = call.json().await?;
    let start = new.into_start(&call)?;
    if let Some(value) = &start.value {
        let (identity, id) = (&call.app.identity, call.capture(0));
        match identity.is_verified_elsewhere(&call.context, id, start.kind, value).await {
            Ok(false) => {}
            Ok(true) if call.context.caller.profile.contacts.claims.of(false, true, false) => {
                return refuse(crate::identity::Error::Taken(start.kind.attribute().to_owned()));
            }
            Ok(true) => {}
            Err(error) => return refuse(error),
        }
    }
    match call.app.identity.change(&call.context, call.capture(0), |draft| draft.start(&start)).await {
        Ok((_, started)) => answer(201, &Begun::of(started, &start.method)),
        Err(error) => refuse(error),
    }
}

async fn resend(mut call: Call) -> Result<HttpResponse, Failure> {
    let new: NewVerification = call.json().await?;
    let start = new.into_start(&call)?;
    match call.app.identity.change(&call.context, call.capture(0), |draft| draft.resend(&start)).await {
        Ok((_, started)) => answer(200, &Begun::of(started, &start.method)),
        Err(error) => refuse(error),
    }
}

async fn complete(mut call: Call) -> Result<HttpResponse, Failure> {
    let code: Code = call.json().await?;
    let complete = Complete {
        kind: code.kind.into(),
        value: code.value,
        answer: Answer::Code(code.code.trim().to_owned()),
        primary: code.make_primary.map(|wanted| primary(Some(wanted))),
    };
    match call.app.identity.complete(&call.context, call.capture(0), &complete).await {
        Ok(user) => answer(200, &ShownUser::from(&user)),
        Err(error) => refuse(error),
    }
}
