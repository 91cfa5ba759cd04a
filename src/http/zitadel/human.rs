//! Reading, creating and updating people, as far as names, addresses, numbers and passwords go.
//!
//! Invariant: creating and updating take effect as a whole. What ZITADEL keeps of a person and Muster does not is ignored.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::contact::Select;
use crate::context::{Context, Permission};
use crate::http::api::Call;
use crate::http::zitadel::contacts::{EMAIL, Of, OfUser, PHONE, begin, check_initialised, set_primary};
use crate::http::zitadel::message::{Choice, Details, Verification, check_length};
use crate::http::zitadel::refusal::{Code, Refusal};
use crate::http::zitadel::{About, check_organisation};
use crate::identity::{Draft, Error, Outcome, Start, State, User};
use crate::scim::schema::ContactKind;

/// The longest name of a person.
const NAME_LIMIT: usize = 200;

/// What a person is called.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Profile {
    /// The given name.
    #[serde(skip_serializing_if = "Option::is_none")]
    given_name: Option<String>,
    /// The family name.
    #[serde(skip_serializing_if = "Option::is_none")]
    family_name: Option<String>,
    /// What friends say.
    #[serde(skip_serializing_if = "Option::is_none")]
    nick_name: Option<String>,
    /// What others see.
    #[serde(skip_serializing_if = "Option::is_none")]
    display_name: Option<String>,
    /// The language, as in `de`.
    #[serde(skip_serializing_if = "Option::is_none")]
    preferred_language: Option<String>,
}

/// An address that a user has, or is to have.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct HumanEmail {
    email: String,
    #[serde(flatten)]
    verification: Verification,
}

/// A number that a user has, or is to have; none takes it away.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct HumanPhone {
    phone: String,
    #[serde(flatten)]
    verification: Verification,
}

/// A password.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Password {
    /// The password itself.
    password: String,
    /// Whether it has to be changed at the next login.
    change_required: bool,
}

/// The hash of a password, as another system made it.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct HashedPassword {
    /// The hash; its beginning says the algorithm.
    hash: String,
    /// Whether the password has to be changed at the next login.
    change_required: bool,
}

/// A password or its hash, one of the two.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct SetPassword {
    password: Option<Password>,
    hashed_password: Option<HashedPassword>,
}

impl SetPassword {
    /// Refuses both at once.
    fn check(&self) -> Result<(), Refusal> {
        match (&self.password, &self.hashed_password) {
            (Some(_), Some(_)) => Err(Refusal::Invalid("proto: oneof password_type is already set".into())),
            _ => Ok(()),
        }
    }

    fn apply(&self, draft: &mut Draft<'_>) -> Result<(), Error> {
        if let Some(Password { password, change_required }) = &self.password {
            draft.set_password(password, *change_required)?;
        }
        if let Some(HashedPassword { hash, change_required }) = &self.hashed_password {
            draft.set_password_hash(hash, *change_required)?;
        }
        Ok(())
    }
}

/// A person.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Human {
    profile: Option<Profile>,
    email: Option<HumanEmail>,
    phone: Option<HumanPhone>,
    #[serde(flatten)]
    password: SetPassword,
}

/// A user that is to be made.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct CreateUser {
    /// The number or name of the tenant.
    organization_id: String,
    /// Not taken: Muster makes ids.
    user_id: Option<String>,
    /// The name to log in by; the e-mail address if it is missing.
    username: Option<String>,
    human: Option<Human>,
}

/// Which organisation.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Organization {
    org_id: Option<String>,
}

/// The same in an earlier form.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct AddHuman {
    /// Not taken: Muster makes ids.
    user_id: Option<String>,
    /// The name to log in by; the e-mail address if it is missing.
    username: Option<String>,
    organization: Option<Organization>,
    #[serde(flatten)]
    human: Human,
}

impl About for CreateUser {
    fn about(&mut self, _: &str) {}
}

impl About for AddHuman {
    fn about(&mut self, _: &str) {}
}

/// A person as an update has it.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct HumanUpdate {
    profile: Option<Profile>,
    email: Option<HumanEmail>,
    phone: Option<HumanPhone>,
    password: Option<SetPassword>,
}

/// An update of a user: what is missing stays.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct UpdateUser {
    user_id: String,
    username: Option<String>,
    human: Option<HumanUpdate>,
}

impl About for UpdateUser {
    fn about(&mut self, user: &str) {
        user.clone_into(&mut self.user_id);
    }
}

/// The codes that were to be returned.
#[derive(Debug, Default, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Codes {
    #[serde(skip_serializing_if = "Option::is_none")]
    email_code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    phone_code: Option<String>,
}

/// A user that was made.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Created {
    id: String,
    creation_date: DateTime<Utc>,
    #[serde(flatten)]
    codes: Codes,
}

/// The same in an earlier form.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Added {
    user_id: String,
    details: Details,
    #[serde(flatten)]
    codes: Codes,
}

/// A user that was updated.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Updated {
    change_date: DateTime<Utc>,
    #[serde(flatten)]
    codes: Codes,
}

/// A value and what begins its verification, with what was chosen.
type Wanted = (String, Choice, Start);

impl HumanEmail {
    fn wanted(&self, call: &Call, of: &Of) -> Result<Wanted, Refusal> {
        let choice = self.verification.choice("SetHumanEmail")?.unwrap_or(Choice::Send(None));
        of.check_value("SetHumanEmail", &self.email)?;
        let start = of.start(call, &choice)?;
        Ok((self.email.clone(), choice, start))
    }
}

impl HumanPhone {
    /// None if the number is to be taken away.
    fn wanted(&self, call: &Call) -> Result<Option<Wanted>, Refusal> {
        let choice = self.verification.choice("SetHumanPhone")?;
        if self.phone.is_empty() {
            return match choice {
                None => Ok(None),
                Some(_) => {
                    let text = "Verifying phone removal is not supported";
                    Err(Refusal::Known(Code::InvalidArgument, text, "USERv2-4f3d6"))
                }
            };
        }
        let choice = choice.unwrap_or(Choice::Send(None));
        PHONE.check_value("SetHumanPhone", &self.phone)?;
        let start = PHONE.start(call, &choice)?;
        Ok(Some((self.phone.clone(), choice, start)))
    }
}

/// Sets a value and begins its verification; answers with the code, if it was to be returned. A value that is there
/// already stays, and is verified if that was said.
fn apply(draft: &mut Draft<'_>, of: &Of, wanted: &Wanted) -> Result<Option<String>, Error> {
    let (value, choice, start) = wanted;
    let verified = *choice == Choice::Verified;
    match set_primary(draft, of.kind, value, verified, !verified)? {
        Outcome::Changed if !verified => Ok(begin(draft, start)?.secret),
        _ => Ok(None),
    }
}

fn set_profile(draft: &mut Draft<'_>, profile: &Profile) -> Result<(), Error> {
    let mut name = draft.user().attribute("name").and_then(Value::as_object).cloned().unwrap_or_default();
    let parts = [("givenName", &profile.given_name), ("familyName", &profile.family_name)];
    for (part, value) in parts {
        if let Some(value) = value {
            name.insert(part.to_owned(), json!(value));
        }
    }
    draft.set("name", &Value::Object(name))?;
    let others = [
        ("nickName", &profile.nick_name),
        ("displayName", &profile.display_name),
        ("preferredLanguage", &profile.preferred_language),
    ];
    for (attribute, value) in others {
        if let Some(value) = value {
            draft.set(attribute, &json!(value))?;
        }
    }
    Ok(())
}

/// What only ZITADEL's own installations can do.
fn unimplemented(text: &'static str) -> Refusal {
    Refusal::Known(Code::Unimplemented, text, "MUSTER-Un1Im")
}

async fn create(
    call: &Call,
    organisation: Option<&str>,
    (user_id, username): (Option<&str>, Option<&str>),
    human: Human,
) -> Result<(User, Codes), Refusal> {
    check_organisation(&call.context, organisation)?;
    if user_id.is_some_and(|id| !id.is_empty()) {
        return Err(unimplemented("Muster makes the ids of users itself"));
    }
    let profile = human.profile.unwrap_or_default();
    for (field, name) in [("GivenName", &profile.given_name), ("FamilyName", &profile.family_name)] {
        check_length(&format!("SetHumanProfile.{field}"), name.as_deref().unwrap_or_default(), NAME_LIMIT)?;
    }
    human.password.check()?;
    let email = human.email.ok_or_else(|| Refusal::field("SetHumanEmail.Email", "value is required"))?;
    let email = email.wanted(call, &EMAIL)?;
    let phone = match &human.phone {
        Some(phone) => phone.wanted(call)?,
        None => None,
    };
    let user_name = username.filter(|name| !name.is_empty()).unwrap_or(&email.0).to_owned();
    let made = |draft: &mut Draft<'_>| {
        draft.set_user_name(Some(&user_name))?;
        set_profile(draft, &profile)?;
        human.password.apply(draft)?;
        let email_code = apply(draft, &EMAIL, &email)?;
        let phone_code = phone.as_ref().map(|phone| apply(draft, &PHONE, phone)).transpose()?.flatten();
        Ok(Codes { email_code, phone_code })
    };
    call.app.identity.create(&call.context, made).await.map_err(|error| match error {
        Error::NotOne(ContactKind::Phone) => PHONE.refused(error),
        other => EMAIL.refused(other),
    })
}

pub(super) async fn create_user(call: &Call, request: CreateUser) -> Result<Created, Refusal> {
    let human = request.human.ok_or_else(|| unimplemented("Muster has human users only"))?;
    let names = (request.user_id.as_deref(), request.username.as_deref());
    let (user, codes) = create(call, Some(&request.organization_id), names, human).await?;
    Ok(Created { id: user.id().to_owned(), creation_date: user.created(), codes })
}

pub(super) async fn add_human(call: &Call, request: AddHuman) -> Result<Added, Refusal> {
    let organisation = request.organization.and_then(|organization| organization.org_id);
    let names = (request.user_id.as_deref(), request.username.as_deref());
    let (user, codes) = create(call, organisation.as_deref(), names, request.human).await?;
    Ok(Added { user_id: user.id().to_owned(), details: Details::read(&call.context, &user), codes })
}

pub(super) async fn update_user(call: &Call, request: UpdateUser) -> Result<Updated, Refusal> {
    let human = request.human.unwrap_or_default();
    human.password.as_ref().map_or(Ok(()), SetPassword::check)?;
    let id = &request.user_id;
    let email = human.email.map(|email| email.wanted(call, &EMAIL)).transpose()?;
    let phone = human.phone.map(|phone| phone.wanted(call)).transpose()?;
    let command = |draft: &mut Draft<'_>| -> Result<Result<Codes, Refusal>, Error> {
        if (email.is_some() || phone.is_some())
            && let Err(refusal) = check_initialised(draft, "COMMAND-uz0Uu")
        {
            return Ok(Err(refusal));
        }
        if let Some(name) = request.username.as_deref().filter(|name| !name.is_empty()) {
            draft.set_user_name(Some(name))?;
        }
        if let Some(profile) = &human.profile {
            set_profile(draft, profile)?;
        }
        if let Some(password) = &human.password {
            password.apply(draft)?;
        }
        let email_code = email.as_ref().map(|email| apply(draft, &EMAIL, email)).transpose()?.flatten();
        let phone_code = match &phone {
            Some(Some(phone)) => apply(draft, &PHONE, phone)?,
            Some(None) if draft.user().primary(ContactKind::Phone).is_some() => {
                draft.contacts_mut().remove(ContactKind::Phone, &Select::Primary, true)?;
                None
            }
            _ => None,
        };
        Ok(Ok(Codes { email_code, phone_code }))
    };
    let changed = call.app.identity.change(&call.context, id, command).await;
    let (user, codes) = changed.map_err(|error| match error {
        Error::NotOne(ContactKind::Phone) => PHONE.refused(error),
        Error::NotOne(ContactKind::Email) => EMAIL.refused(error),
        other => other.into(),
    })?;
    Ok(Updated { change_date: user.modified(), codes: codes? })
}

/// A user.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Got {
    details: Details,
    user: UserView,
}

/// A user as it is shown.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct UserView {
    user_id: String,
    details: Details,
    state: &'static str,
    username: String,
    login_names: Vec<String>,
    preferred_login_name: String,
    human: Map<String, Value>,
}

pub(super) async fn get_user(call: &Call, request: OfUser) -> Result<Got, Refusal> {
    call.check_about(Permission::ReadIdentity, &request.user_id)?;
    let user = call.app.identity.user(&call.context, &request.user_id).await?;
    Ok(Got { details: Details::read(&call.context, &user), user: UserView::of(&call.context, &user) })
}

impl UserView {
    pub(super) fn of(cx: &Context, user: &User) -> Self {
        let name = user.user_name().unwrap_or(user.id()).to_owned();
        let mut login_names: Vec<String> = user.login_names().into_iter().map(str::to_owned).collect();
        if user.user_name().is_none() {
            login_names.insert(0, name.clone());
        }
        Self {
            user_id: user.id().to_owned(),
            details: Details::read(cx, user),
            state: match user.state() {
                State::Pending => "USER_STATE_INITIAL",
                State::Active => "USER_STATE_ACTIVE",
                State::Suspended => "USER_STATE_INACTIVE",
            },
            username: name.clone(),
            login_names,
            preferred_login_name: name,
            human: human(user),
        }
    }
}

/// A person as it is shown: without what is empty.
fn human(user: &User) -> Map<String, Value> {
    let mut out = Map::new();
    let part = |name: &str| user.attribute("name")?.get(name)?.as_str().map(str::to_owned);
    let text = |name: &str| user.text(name).map(str::to_owned);
    let profile = Profile {
        given_name: part("givenName"),
        family_name: part("familyName"),
        nick_name: text("nickName"),
        display_name: text("displayName"),
        preferred_language: text("preferredLanguage"),
    };
    out.insert("profile".into(), json!(profile));
    for (of, member) in [(&EMAIL, "email"), (&PHONE, "phone")] {
        if let Some(contact) = user.primary(of.kind) {
            let mut shown = Map::new();
            shown.insert(member.into(), json!(contact.shown()));
            if contact.verified.is_some() {
                shown.insert("isVerified".into(), json!(true));
            }
            out.insert(member.into(), Value::Object(shown));
        }
    }
    if let Some(password) = user.password() {
        if password.temporary {
            out.insert("passwordChangeRequired".into(), json!(true));
        }
        out.insert("passwordChanged".into(), json!(password.updated));
    }
    out
}
