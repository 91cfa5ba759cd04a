//! Messages as e-mails (RFC 5321).
//!
//! Invariant: a password goes over an encrypted connection or not at all; certificates are checked.

use std::time::Duration;

use lettre::message::header::ContentType;
use lettre::message::{Mailbox, MultiPart};
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Tokio1Executor};

use crate::courier::Undelivered;
use crate::message::Message;

/// How long a mail server may take for an answer.
const PATIENCE: Duration = Duration::from_secs(20);

pub(super) struct Mail {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

impl Mail {
    /// `smtps://` encrypts from the beginning, `smtp://…?tls=required` after STARTTLS, `smtp://` not at all.
    pub(super) fn new(url: &str, from: Option<&str>) -> Result<Self, String> {
        let from =
            from.ok_or("a courier by SMTP needs a sender; set courier-from, as in no-reply@example.com")?;
        let from = from.parse().map_err(|error| format!("courier-from is no e-mail address: {error}"))?;
        let has_password = url.split('/').nth(2).is_some_and(|host| host.contains('@'));
        if has_password && url.starts_with("smtp://") && !url.contains("tls=required") {
            return Err(
                "a mail server's password goes only over TLS; write smtps://… or smtp://…?tls=required"
                    .into(),
            );
        }
        let builder = AsyncSmtpTransport::<Tokio1Executor>::from_url(url)
            .map_err(|error| format!("the courier's mail server has no good URL: {error}"))?;
        Ok(Self { transport: builder.timeout(Some(PATIENCE)).build(), from })
    }

    pub(super) async fn send(&self, message: &Message) -> Result<(), Undelivered> {
        let to: Mailbox = message.to.parse().map_err(Undelivered::lasting)?;
        let mail = lettre::Message::builder()
            .from(self.from.clone())
            .to(to)
            .subject(message.subject.clone().unwrap_or_default());
        let (text, html) = (message.text.clone(), message.html.clone());
        let mail = match html {
            None => mail.header(ContentType::TEXT_PLAIN).body(text),
            Some(html) => mail.multipart(MultiPart::alternative_plain_html(text, html)),
        };
        let mail = mail.map_err(Undelivered::lasting)?;
        match self.transport.send(mail).await {
            Ok(_) => Ok(()),
            Err(error) if error.is_permanent() => Err(Undelivered::lasting(error)),
            Err(error) => Err(Undelivered::passing(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mail_server_needs_a_sender_and_keeps_its_password_to_itself() {
        let refusal = |url: &str, from: Option<&str>| Mail::new(url, from).err().unwrap_or_default();
        assert!(refusal("smtp://127.0.0.1:25", None).contains("courier-from"));
        assert!(refusal("smtp://127.0.0.1:25", Some("nobody")).contains("courier-from"));
        assert!(refusal("smtp://u:secret@mail.example", Some("a@b.example")).contains("only over TLS"));
        assert!(!refusal("smtp://u:secret@mail.example", Some("a@b.example")).contains("secret"));
        for good in
            ["smtp://127.0.0.1:25", "smtps://u:p@mail.example", "smtp://u:p@mail.example?tls=required"]
        {
            assert_eq!(refusal(good, Some("Muster <no-reply@b.example>")), "");
        }
    }
}
