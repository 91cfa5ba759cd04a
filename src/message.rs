//! Messages to users: what they are about, how they go, and which words they have.
//!
//! Invariant: pure. A message is complete when it is made: whoever delivers it knows no tenant and no setting.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// How a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Channel {
    /// By e-mail.
    Email,
    /// As a text to a phone.
    Sms,
}

impl Channel {
    /// The name in settings and messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Sms => "sms",
        }
    }
}

/// What a message is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Occasion {
    /// A code that verifies the address or number.
    #[serde(rename = "verification-code")]
    Code,
    /// A link that does.
    #[serde(rename = "verification-link")]
    Link,
}

impl Occasion {
    fn name(self) -> &'static str {
        match self {
            Self::Code => "code",
            Self::Link => "link",
        }
    }

    /// What must stand in the words: where the code or link goes.
    fn placeholder(self) -> &'static str {
        match self {
            Self::Code => "{code}",
            Self::Link => "{link}",
        }
    }
}

/// A message that is to go out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// How it goes.
    pub channel: Channel,
    /// The address or number.
    pub to: String,
    /// What it is for.
    pub purpose: Occasion,
    /// The code, if it carries one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The link, if it carries one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// What an e-mail is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// What it says.
    pub text: String,
    /// The same as HTML, for an e-mail that has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub html: Option<String>,
}

impl Message {
    /// A message with a code or link in it that counts for so many minutes.
    pub fn new(
        channel: Channel,
        to: &str,
        purpose: Occasion,
        wording: &Wording,
        secret: &str,
        minutes: i64,
    ) -> Self {
        let minutes = minutes.to_string();
        let fill_with =
            |text: &str, secret: &str| text.replace(purpose.placeholder(), secret).replace(MINUTES, &minutes);
        let fill = |text: &str| fill_with(text, secret);
        let html = wording.html.as_ref().filter(|_| channel == Channel::Email);
        let one = |wanted: Occasion| (purpose == wanted).then(|| secret.to_owned());
        Self {
            channel,
            to: to.to_owned(),
            purpose,
            code: one(Occasion::Code),
            link: one(Occasion::Link),
            subject: (channel == Channel::Email).then(|| fill(&wording.subject)),
            text: fill(&wording.text),
            html: html.map(|html| fill_with(html, &escaped(secret))),
        }
    }
}

/// A text as it stands in HTML, also between quotes.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// The words of a message. `{code}` or `{link}` stand for the secret, `{minutes}` for how long it counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wording {
    /// What an e-mail is about.
    pub subject: String,
    /// What it says.
    pub text: String,
    /// The same as HTML, if an e-mail shall have it.
    pub html: Option<String>,
}

/// What a tenant decides about messages and links, each by a name of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// What the redirects begin with to which a link may lead.
    redirects: Vec<String>,
    /// Words by channel, occasion and language, as in `email-code.de`.
    words: BTreeMap<String, Wording>,
    /// The same as HTML, by the same names.
    html: BTreeMap<String, String>,
}

/// The end of the name of words that are the HTML of an e-mail.
const HTML: &str = "-html";

/// Where the number of minutes goes for which a message counts.
const MINUTES: &str = "{minutes}";

/// What stands in braces in a text and looks like a place for something.
fn placeholders(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices('{').filter_map(|(begin, _)| {
        let rest = text.get(begin..)?;
        let name = rest.get(..=rest.find('}')?)?;
        name.get(1..name.len() - 1)
            .filter(|name| !name.is_empty())?
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric())
            .then_some(name)
    })
}

/// The words in which a message is, if the tenant has none in the user's language.
const LANGUAGE: &str = "en";

impl Settings {
    /// The pattern of the names of settings that are words.
    pub const WORDS: &'static str = "CHANNEL-OCCASION.LANGUAGE";

    /// The names of the settings, what may be written behind them, and what they decide.
    pub const SETTINGS: [(&'static str, &'static str, &'static str); 2] = [
        (
            "redirect-urls",
            "the beginnings of URLs to which links may lead, with commas between them, or none",
            "Where links in messages may lead.",
        ),
        (
            Self::WORDS,
            "the words of a message, as in email-code.de='Subject|Text with {code}' or sms-code.en='Text with {code}'; \
             {link} in email-link; email-code-html.de='<p>…{code}…</p>' beside it",
            "What a message says.",
        ),
    ];

    /// Sets one by its name; false if there is no such setting or it cannot have this value.
    #[must_use]
    pub fn set(&mut self, name: &str, value: &str) -> bool {
        if name != "redirect-urls" {
            return self.set_words(name, value);
        }
        let urls: Vec<&str> =
            value.split(',').map(str::trim).filter(|url| !matches!(*url, "" | "none")).collect();
        let is_good = urls.iter().all(|url| split_url(url).is_some());
        if is_good {
            self.redirects = urls.into_iter().map(str::to_owned).collect();
        }
        is_good
    }

    /// Whether a setting of this name is the words of a message.
    pub fn is_words(name: &str) -> bool {
        words_of(name).is_some()
    }

    fn set_words(&mut self, name: &str, value: &str) -> bool {
        let Some((kind, language, occasion)) = words_of(name) else { return false };
        if !placeholders(value).all(|name| name == occasion.placeholder() || name == MINUTES) {
            return false;
        }
        let at = |kind: &str| format!("{kind}.{}", language.to_ascii_lowercase());
        if let Some(kind) = kind.strip_suffix(HTML) {
            let is_good = value.contains(occasion.placeholder());
            if is_good {
                self.html.insert(at(kind), value.to_owned());
            }
            return is_good;
        }
        let (subject, text) = match kind.starts_with("email") {
            true => value.split_once('|').unwrap_or_default(),
            false => ("", value),
        };
        let has_subject = !subject.trim().is_empty() || !kind.starts_with("email");
        if !has_subject || !text.contains(occasion.placeholder()) || subject.contains(['\r', '\n']) {
            return false;
        }
        let wording = Wording { subject: subject.trim().to_owned(), text: text.to_owned(), html: None };
        self.words.insert(at(kind), wording);
        true
    }

    /// Whether a link may lead to this URL: it is under one that is listed, on the same host.
    pub fn admits_redirect(&self, url: &str) -> bool {
        let Some((origin, path)) = split_url(url) else { return false };
        self.redirects.iter().filter_map(|listed| split_url(listed)).any(|(listed, beginning)| {
            let rest = path.strip_prefix(beginning.trim_end_matches('/'));
            let is_under = rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?', '#']));
            listed.eq_ignore_ascii_case(origin) && is_under && !path.contains("/..")
        })
    }

    /// The words for a message to a user with these languages, as `preferredLanguage` has them.
    pub fn wording(&self, channel: Channel, occasion: Occasion, languages: Option<&str>) -> Wording {
        let kind = format!("{}-{}", channel.name(), occasion.name());
        let wanted = languages.into_iter().flat_map(|list| list.split(',')).flat_map(|language| {
            let tag = language.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
            let primary = tag.split('-').next().unwrap_or_default().to_owned();
            [tag, primary]
        });
        let mut names = wanted.chain([LANGUAGE.to_owned()]).map(|language| format!("{kind}.{language}"));
        let found = names.find_map(|name| {
            let html = self.html.get(&name).cloned();
            Some(Wording { html, ..self.words.get(&name)?.clone() })
        });
        found.unwrap_or_else(|| plain(channel, occasion))
    }
}

/// Channel and occasion, language, and the occasion by itself, of the name of words.
fn words_of(name: &str) -> Option<(&str, &str, Occasion)> {
    let (kind, language) = name.split_once('.')?;
    let occasion = match kind {
        "email-code" | "email-code-html" | "sms-code" => Occasion::Code,
        "email-link" | "email-link-html" => Occasion::Link,
        _ => return None,
    };
    let is_language =
        !language.is_empty() && language.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    is_language.then_some((kind, language, occasion))
}

/// The words that Muster has itself.
fn plain(channel: Channel, occasion: Occasion) -> Wording {
    let (subject, text) = match (channel, occasion) {
        (Channel::Email, Occasion::Code) => (
            "Your code is {code}",
            "Your code is {code}. It counts for {minutes} minutes.\n\nIf you did not ask for it, ignore this message.\n",
        ),
        (_, Occasion::Link) => (
            "Confirm your e-mail address",
            "Open this link to confirm your e-mail address. It counts for {minutes} minutes.\n\n{link}\n\n\
             If you did not ask for it, ignore this message.\n",
        ),
        (Channel::Sms, Occasion::Code) => ("", "Your code is {code}. It counts for {minutes} minutes."),
    };
    Wording { subject: subject.to_owned(), text: text.to_owned(), html: None }
}

/// Scheme and host of an http URL, and what follows; none if it is none, or names a user.
fn split_url(url: &str) -> Option<(&str, &str)> {
    let scheme = ["https://", "http://"].into_iter().find(|scheme| url.starts_with(scheme))?;
    let rest = url.get(scheme.len()..)?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let plain = |c: char| c.is_ascii_graphic() && !"\"<>\\^`{|}".contains(c);
    let host = rest.get(..end).filter(|host| !host.is_empty() && !host.contains('@'))?;
    (url.chars().all(plain) && host != ":").then(|| url.split_at(scheme.len() + end))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(set: &[(&str, &str)]) -> Settings {
        let mut settings = Settings::default();
        for (name, value) in set {
            assert!(settings.set(name, value), "{name}={value}");
        }
        settings
    }

    #[test]
    fn a_link_leads_only_under_what_is_listed() {
        let listed = settings(&[("redirect-urls", "https://app.example/done, http://127.0.0.1:3000/")]);
        for good in [
            "https://app.example/done",
            "https://APP.example/done/now?x=1",
            "https://app.example/done#top",
            "http://127.0.0.1:3000/anything",
        ] {
            assert!(listed.admits_redirect(good), "{good}");
        }
        for bad in [
            "https://app.example/",
            "https://app.example/donerson",
            "https://app.example.evil.example/done",
            "https://app.example@evil.example/done",
            "http://app.example/done",
            "https://app.example:444/done",
            "https://app.example/done/../admin",
            "//app.example/done",
            "javascript:alert(1)",
            "https://app.example/done\r\nX: y",
            "http://127.0.0.1:30000/",
            "",
        ] {
            assert!(!listed.admits_redirect(bad), "{bad}");
        }
        assert!(!Settings::default().admits_redirect("https://app.example/done"));
        assert!(!settings(&[("redirect-urls", "none")]).admits_redirect("https://app.example/done"));
    }

    #[test]
    fn words_are_in_the_users_language_if_the_tenant_has_it() {
        let settings = settings(&[
            ("email-code.de", "Ihr Code|Ihr Code ist {code}, {minutes} Minuten lang."),
            ("sms-code.fr", "Votre code: {code}"),
            ("email-code.en", "Code|{code}"),
        ]);
        let subject = |languages| settings.wording(Channel::Email, Occasion::Code, languages).subject;
        assert_eq!(subject(Some("de-CH, fr;q=0.5")), "Ihr Code");
        assert_eq!(subject(Some("it")), "Code");
        assert_eq!(subject(None), "Code");
        let text = settings.wording(Channel::Sms, Occasion::Code, Some("it;q=1, fr")).text;
        assert_eq!(text, "Votre code: {code}");
        assert!(settings.wording(Channel::Sms, Occasion::Code, None).text.starts_with("Your code is"));
        let wording = settings.wording(Channel::Email, Occasion::Code, Some("de"));
        let message = Message::new(Channel::Email, "a@x.example", Occasion::Code, &wording, "123456", 10);
        assert_eq!(message.text, "Ihr Code ist 123456, 10 Minuten lang.");
        assert_eq!((message.code.as_deref(), message.link), (Some("123456"), None));
    }

    #[test]
    fn an_email_has_html_beside_the_words_of_its_language_and_the_secret_cannot_break_it() {
        let settings = settings(&[
            ("email-link.de", "Link|{link}"),
            (
                "email-link-html.de",
                "<style>p {color: red}</style><p><a href=\"{link}\">Bestätigen</a>, {minutes} Minuten</p>",
            ),
            ("email-link-html.fr", "<a href=\"{link}\">Confirmer</a>"),
        ]);
        let message = |language| {
            let wording = settings.wording(Channel::Email, Occasion::Link, Some(language));
            Message::new(Channel::Email, "a@x.example", Occasion::Link, &wording, "https://x/?a=1&b=\"2", 60)
        };
        let german = message("de-AT");
        assert_eq!(german.text, "https://x/?a=1&b=\"2");
        let html = "<style>p {color: red}</style><p><a href=\"https://x/?a=1&amp;b=&quot;2\">Bestätigen</a>, 60 Minuten</p>";
        assert_eq!(german.html.as_deref(), Some(html));
        assert_eq!(message("fr").html, None, "it stands beside no text");
        let read: Message = serde_json::from_str(&serde_json::to_string(&german).unwrap()).unwrap();
        assert_eq!(read, german);
    }

    #[test]
    fn words_without_a_place_for_the_secret_or_with_an_unknown_one_are_refused() {
        for (name, value) in [
            ("email-code.de", "Ihr Code"),
            ("email-code.de", "Ihr Code|steht hier nicht"),
            ("email-code.de", "|{code}"),
            ("email-link.de", "Link|{code}"),
            ("email-link-html.de", "<p>Link</p>"),
            ("email-code-html.de", "<p>{code} {name}</p>"),
            ("sms-code-html.de", "{code}"),
            ("sms-code.", "{code}"),
            ("sms-code.de", "{code}, {minuten} Minuten"),
            ("sms-code.de", "{code} {link}"),
            ("email-code.de", "Hallo {name}|{code}"),
            ("sms-link.de", "{link}"),
            ("fax-code.de", "{code}"),
            ("redirect-urls", "app.example"),
            ("redirect-urls", "https://"),
        ] {
            assert!(!Settings::default().set(name, value), "{name}={value}");
        }
    }
}
