//! The table of operations.

use schemars::{JsonSchema, Schema, SchemaGenerator};

use crate::context::Permission;
use crate::http::api::{Answer, Operation, Run, schema};
use crate::http::monocloud::{credentials, data, identifiers, spelled, users, view};
use crate::scim::schema::ContactKind;

/// What most changes answer.
const USER: Answer = Answer(200, "The user", Some(schema::<view::ShownUser>));
const GONE: Answer = Answer(204, "It is gone", None);

/// The schema of a list.
fn list_of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    schema::<Vec<T>>(generator)
}

pub(super) const OPERATIONS: [Operation; 31] = [
    Operation {
        method: "GET",
        path: "/api/users{?filter,sort,page,size}",
        summary: "List and search users: page, size, filter (Lucene), sort",
        takes: None,
        answers: &[Answer(
            200,
            "A page; the header x-pagination says how many there are",
            Some(list_of::<view::ShownUser>),
        )],
        run: Run::For(Permission::ReadIdentity, |call| Box::pin(spelled(users::list(call)))),
    },
    Operation {
        method: "POST",
        path: "/api/users",
        summary: "Create a user",
        takes: Some(schema::<users::NewUser>),
        answers: &[Answer(201, "The user", Some(schema::<view::ShownUser>))],
        run: Run::For(Permission::WriteIdentity, |call| Box::pin(spelled(users::create(call)))),
    },
    Operation {
        method: "GET",
        path: "/api/users/{user_id}",
        summary: "Get a user",
        takes: None,
        answers: &[USER],
        run: Run::For(Permission::ReadIdentity, |call| Box::pin(spelled(users::get(call)))),
    },
    Operation {
        method: "DELETE",
        path: "/api/users/{user_id}",
        summary: "Delete a user",
        takes: None,
        answers: &[GONE],
        run: Run::For(Permission::WriteIdentity, |call| Box::pin(spelled(users::delete(call)))),
    },
    Operation {
        method: "POST",
        path: "/api/users/{user_id}/enable",
        summary: "Let a user log in again",
        takes: None,
        answers: &[USER],
        run: Run::For(Permission::WriteIdentity, |call| Box::pin(spelled(users::enable(call)))),
    },
    Operation {
        method: "POST",
        path: "/api/users/{user_id}/disable",
        summary: "Let a user log in no more",
        takes: None,
        answers: &[USER],
        run: Run::For(Permission::WriteIdentity, |call| Box::pin(spelled(users::disable(call)))),
    },
    Operation {
        method: "POST",
        path: "/api/users/{user_id}/unblock",
        summary: "Forget that a user failed to log in",
        takes: None,
        answers: &[USER],
        run: Run::For(Permission::WriteIdentity, |call| Box::pin(spelled(users::unblock(call)))),
    },
    Operation {
        method: "PUT",
        path: "/api/users/{user_id}/username",
        summary: "Set the name to log in by",
        takes: Some(schema::<users::NewName>),
        answers: &[USER],
        run: Run::For(Permission::WriteIdentity, |call| Box::pin(spelled(users::set_name(call)))),
    },
    Operation {
        method: "DELETE",
        path: "/api/users/{user_id}/username",
        summary: "Remove the name to log in by",
        takes: None,
        answers: &[USER],
        run: Run::For(Permission::WriteIdentity, |call| Box::pin(spelled(users::remove_name(call)))),
    },
    Operation {
        method: "POST",
        path: "/api/users/{user_id}/emails",
        summary: "Add an e-mail address",
        takes: Some(schema::<identifiers::NewEmail>),
        answers: &[USER],
        run: Run::For(Permission::WriteIdentity, |call| Box::pin(spelled(identifiers::add_email(call)))),
    },
    Operation {
        method: "DELETE",
        path: "/api/users/{user_id}/emails/{identifier_id}",
        summary: "Remove an e-mail address",
        takes: None,
        answers: &[USER],
        run: Run::For(Permission::WriteIdentity, |call| {
            Box::pin(spelled(identifiers::remove(call, ContactKind::Email)))
        }),
    },
    Operation {
        method: "POST",
        path: "/api/users/{user_id}/emails/{identifier_id}/primary",
        summary: "Make an e-mail address the primary one",
        takes: None,
        answers: &[USER],
        run: Run::For(Permission::WriteIdentity, |call| {
            Box::pin(spelled(identifiers::make_primary(call, ContactKind::Email)))
        }),
    },
    Operation {
        method: "POST",
        path: "/api/users/{user_id}/emails/{identifier_id}/verify",
        summary: "Say that an e-mail address is verified",
        takes: None,
        answers: &[USER],
        run: Run::For(Permission::WriteIdentity, |call| {
            Box::pin(spelled(identifiers::verify(call, ContactKind::Email)))
        }),
    },
    Operation {
        method: "POST",
        path: "/api/users/{user_id}/emails/{identifier_id}/unverify",
        summary: "Say that an e-mail address is not verified",
        takes: None,
        answers: &[USER],
        run: Run::For(Permission::WriteIdentity, |call| {
            Box::pin(spelled(identifiers::unverify(call, ContactKind::Email)))
        }),
    },
    Operation {
        method: "POST",
        path: "/api/users/{user_id}/emails/{identifier_id}/verify/link",
        summary: "Send a link that verifies an e-mail address",
        takes: Some(schema::<identifiers::AskForLink>),
        answers: &[Answer(200, "Until when it counts", Some(schema::<identifiers::Sent>))],
        run: Run::For(Permission::WriteIdentity, |call| Box::pin(spelled(identifiers::send_link(call)))),
    },
    Operation {
        method: "POST",
        path: "/api/users/{user_id}/phones",
        summary: "Add a phone number",
        takes: Some(schema::<identifiers::NewPhone>),
        answers: &[USER],
        run: Run::For(Permission::WriteIdentity, |call| Box::pin(spelled(identifiers::add_phone(call)))),
    },
    Operation {
        method: "DELETE",
        path: "/api/users/{user_id}/phones/{identifier_id}",
        summary: "Remove a phone number",
        takes: None,
        answers: &[USER],
        run: Run::For(Permission::WriteIdentity, |call| {
            Box::pin(spelled(identifiers::remove(call, ContactKind::Phone)))
        }),
    },
    Operation {
        method: "POST",
        path: "/api/users/{user_id}/phones/{identifier_id}/primary",
        summary: "Make a phone number the primary one",
        takes: None,
        answers: &[USER],
        run: Run::For(Permission::WriteIdentity, |call| {
            Box::pin(spelled(identifiers::make_primary(call, ContactKind::Phone)))
        }),
    },
    Operation {
        method: "POST",
        path: "/api/users/{user_id}/phones/{identifier_id}/verify",
        summary: "Say that a phone number is verified",
        takes: None,
        answers: &[USER],
        run: Run::For(Permission::WriteIdentity, |call| {
            Box::pin(spelled(identifiers::verify(call, ContactKind::Phone)))
        }),
    },
    Operation {
        method: "POST",
        path: "/api/users/{user_id}/phones/{identifier_id}/unverify",
        summary: "Say that a phone number is not verified",
        takes: None,
        answers: &[USER],
        run: Run::For(Permission::WriteIdentity, |call| {
            Box::pin(spelled(identifiers::unverify(call, ContactKind::Phone)))
        }),
    },
    Operation {
        method: "PUT",
        path: "/api/users/{user_id}/password",
        summary: "Set the password",
        takes: Some(schema::<credentials::NewPassword>),
        answers: &[USER],
        run: Run::For(Permission::WriteIdentity, |call| Box::pin(spelled(credentials::set(call)))),
    },
    Operation {
        method: "DELETE",
        path: "/api/users/{user_id}/password",
        summary: "Remove the password",
        takes: None,
        answers: &[GONE],
        run: Run::For(Permission::WriteIdentity, |call| Box::pin(spelled(credentials::remove(call)))),
    },
    Operation {
        method: "PUT",
        path: "/api/users/{user_id}/password/change",
        summary: "Change the password with the old one",
        takes: Some(schema::<credentials::ChangePassword>),
        answers: &[USER],
        run: Run::For(Permission::WriteIdentity, |call| Box::pin(spelled(credentials::change_own(call)))),
    },
    Operation {
        method: "POST",
        path: "/api/users/{user_id}/password/force_reset",
        summary: "Have the password changed at the next login",
        takes: None,
        answers: &[USER],
        run: Run::For(Permission::WriteIdentity, |call| {
            Box::pin(spelled(credentials::force_reset(call, true)))
        }),
    },
    Operation {
        method: "DELETE",
        path: "/api/users/{user_id}/password/force_reset",
        summary: "Let the password be",
        takes: None,
        answers: &[USER],
        run: Run::For(Permission::WriteIdentity, |call| {
            Box::pin(spelled(credentials::force_reset(call, false)))
        }),
    },
    Operation {
        method: "PATCH",
        path: "/api/users/{user_id}/claims",
        summary: "Change claims",
        takes: Some(schema::<data::Claims>),
        answers: &[USER],
        run: Run::For(Permission::WriteIdentity, |call| Box::pin(spelled(data::set_claims(call)))),
    },
    Operation {
        method: "GET",
        path: "/api/users/{user_id}/public_data",
        summary: "Get data that the user may see",
        takes: None,
        answers: &[Answer(200, "The data", Some(schema::<data::PublicData>))],
        run: Run::For(Permission::ReadIdentity, |call| Box::pin(spelled(data::public(call)))),
    },
    Operation {
        method: "PATCH",
        path: "/api/users/{user_id}/public_data",
        summary: "Change data that the user may see",
        takes: Some(schema::<data::PublicData>),
        answers: &[Answer(200, "The data", Some(schema::<data::PublicData>))],
        run: Run::For(Permission::WriteIdentity, |call| Box::pin(spelled(data::merge_public(call)))),
    },
    Operation {
        method: "GET",
        path: "/api/users/{user_id}/private_data",
        summary: "Get data that the user may not see",
        takes: None,
        answers: &[Answer(200, "The data", Some(schema::<data::PrivateData>))],
        run: Run::For(Permission::ReadIdentity, |call| Box::pin(spelled(data::private(call)))),
    },
    Operation {
        method: "PATCH",
        path: "/api/users/{user_id}/private_data",
        summary: "Change data that the user may not see",
        takes: Some(schema::<data::PrivateData>),
        answers: &[Answer(200, "The data", Some(schema::<data::PrivateData>))],
        run: Run::For(Permission::WriteIdentity, |call| Box::pin(spelled(data::merge_private(call)))),
    },
    Operation {
        method: "GET",
        path: "/api/users/{user_id}/groups{?page,size}",
        summary: "List the groups that a user is in",
        takes: None,
        answers: &[Answer(200, "A page of them", Some(list_of::<data::ShownGroup>))],
        run: Run::For(Permission::ReadIdentity, |call| Box::pin(spelled(data::groups(call)))),
    },
];
