//! An examination for people and for programs.
//!
//! Invariant: no form of the report has a request header, and so none has a token.

mod html;
mod junit;
mod markdown;
mod table;

use crate::verdict::Examination;
use clap::ValueEnum;

/// How an examination is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Form {
    /// One line for each requirement, and details of what failed
    Table,
    /// One JSON document
    Json,
    /// JUnit's XML, one test case for each requirement
    Junit,
    /// One page
    Html,
    /// A table of all requirements
    Markdown,
}

impl Examination {
    /// The examination in that form.
    pub fn told(&self, form: Form) -> String {
        match form {
            Form::Table => table::table(self),
            Form::Json => format!("{:#}", serde_json::json!(self)),
            Form::Junit => junit::junit(self),
            Form::Html => html::html(self),
            Form::Markdown => markdown::markdown(self),
        }
    }
}

/// Text for XML and HTML.
fn escaped(text: &str) -> String {
    let visible = text.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t'));
    visible.fold(String::new(), |mut out, c| {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            other => out.push(other),
        }
        out
    })
}
