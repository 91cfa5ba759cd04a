//! The courier: brings messages to users, by whatever the operator has set up.
//!
//! Invariant: a message is in the outbox before anybody hears of it, and it goes only when it was delivered or is of no use
//! any more; so one may arrive twice, and none is lost. Neither codes nor links are ever logged.

mod delivery;
mod file;
mod smtp;
mod webhook;

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

pub use delivery::deliver;
pub use webhook::Webhook;

use crate::message::{Channel, Message};

/// Which channels there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Channels {
    /// Whether e-mail can be sent.
    pub email: bool,
    /// Whether texts can be sent.
    pub sms: bool,
}

impl Channels {
    /// Whether this one is there.
    pub fn has(self, channel: Channel) -> bool {
        match channel {
            Channel::Email => self.email,
            Channel::Sms => self.sms,
        }
    }
}

/// One way to bring messages, as the operator spells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// `file:DIR`: a file a message.
    File(PathBuf),
    /// `smtp://…` or `smtps://…`: a mail server, by its URL.
    Smtp(String),
    /// `https://…` or `http://…`: a service that takes messages by POST.
    Webhook(String),
}

impl FromStr for Way {
    type Err = BadCourier;

    fn from_str(text: &str) -> Result<Self, BadCourier> {
        let text = text.trim();
        match text.split_once(':') {
            Some(("file", directory)) if !directory.is_empty() => Ok(Self::File(directory.into())),
            Some(("smtp" | "smtps", rest)) if rest.starts_with("//") && rest.len() > 2 => {
                Ok(Self::Smtp(text.to_owned()))
            }
            Some(("http" | "https", rest)) if rest.starts_with("//") && rest.len() > 2 => {
                Ok(Self::Webhook(text.to_owned()))
            }
            _ => Err(BadCourier(text.split("//").next().unwrap_or_default().to_owned())),
        }
    }
}

/// A courier that cannot be. It does not show passwords that stand in a URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadCourier(String);

impl fmt::Display for BadCourier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "courier {:?} is none; write file:DIR, smtp://HOST:PORT or smtps://USER:PASSWORD@HOST, or \
             https://HOST/PATH, or several of them with blanks between",
            self.0
        )
    }
}

impl std::error::Error for BadCourier {}

/// What the operator set up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Setup {
    /// The ways, in order: a message takes the first that has its channel.
    pub ways: Vec<Way>,
    /// Who e-mails are from.
    pub from: Option<String>,
    /// The secret that webhooks are signed with.
    pub secret: Option<String>,
}

/// Brings messages.
pub struct Courier {
    carriers: Vec<Carrier>,
}

enum Carrier {
    File(file::Files),
    Smtp(smtp::Mail),
    Webhook(Webhook),
}

/// Why a message did not arrive.
#[derive(Debug)]
pub struct Undelivered {
    /// What happened, without the message.
    pub cause: String,
    /// Whether trying again is of no use.
    pub is_final: bool,
}

impl Undelivered {
    fn passing(cause: impl fmt::Display) -> Self {
        Self { cause: cause.to_string(), is_final: false }
    }

    fn lasting(cause: impl fmt::Display) -> Self {
        Self { cause: cause.to_string(), is_final: true }
    }
}

impl Courier {
    /// A courier with these ways.
    ///
    /// # Errors
    /// A sentence that says what to set.
    pub fn new(setup: &Setup) -> Result<Self, String> {
        let carrier = |way: &Way| match way {
            Way::File(directory) => file::Files::open(directory).map(Carrier::File),
            Way::Smtp(url) => smtp::Mail::new(url, setup.from.as_deref()).map(Carrier::Smtp),
            Way::Webhook(url) => Webhook::new(url, setup.secret.as_deref()).map(Carrier::Webhook),
        };
        Ok(Self { carriers: setup.ways.iter().map(carrier).collect::<Result<_, _>>()? })
    }

    /// The channels that it has.
    pub fn channels(&self) -> Channels {
        let any = |channel| self.carriers.iter().any(|carrier| carrier.has(channel));
        Channels { email: any(Channel::Email), sms: any(Channel::Sms) }
    }

    /// Brings one message.
    ///
    /// # Errors
    /// [`Undelivered`].
    pub async fn bring(&self, id: &str, message: &Message) -> Result<(), Undelivered> {
        match self.carriers.iter().find(|carrier| carrier.has(message.channel)) {
            None => {
                Err(Undelivered::lasting(format!("there is nothing to send by {}", message.channel.name())))
            }
            Some(Carrier::File(files)) => files.write(id, message),
            Some(Carrier::Smtp(mail)) => mail.send(message).await,
            Some(Carrier::Webhook(webhook)) => webhook.post(id, message).await,
        }
    }
}

impl Carrier {
    fn has(&self, channel: Channel) -> bool {
        match self {
            Self::File(_) | Self::Webhook(_) => true,
            Self::Smtp(_) => channel == Channel::Email,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_way_is_known_by_its_beginning() {
        for (text, way) in [
            ("file:/tmp/out", Way::File("/tmp/out".into())),
            (" smtp://127.0.0.1:2525 ", Way::Smtp("smtp://127.0.0.1:2525".into())),
            ("smtps://u:p@mail.example", Way::Smtp("smtps://u:p@mail.example".into())),
            ("https://hooks.example/m", Way::Webhook("https://hooks.example/m".into())),
        ] {
            assert_eq!(text.parse(), Ok(way), "{text}");
        }
        for text in ["", "file:", "smtp:", "smtps://", "ftp://x", "mail", "sms://user:secret@host"] {
            let sentence = text.parse::<Way>().unwrap_err().to_string();
            assert!(sentence.contains("file:DIR") && !sentence.contains("secret"), "{sentence}");
        }
    }
}
