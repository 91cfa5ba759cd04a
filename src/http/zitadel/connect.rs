//! The table of the Connect protocol: every operation is a POST, and the user stands in the message.

use crate::context::Permission;
use crate::http::api::{Answer, Operation, Run, schema};
use crate::http::zitadel::message::{Done, DoneWithCode};
use crate::http::zitadel::{connect, contacts, human, search};

pub(super) const OPERATIONS: [Operation; 13] = [
    Operation {
        method: "POST",
        path: "/zitadel.user.v2.UserService/GetUserByID",
        summary: "Get a user",
        takes: Some(schema::<contacts::OfUser>),
        answers: &[Answer(200, "The user", Some(schema::<human::Got>))],
        run: Run::ForSelfOr(Permission::ReadIdentity, |call| Box::pin(connect(call, human::get_user))),
    },
    Operation {
        method: "POST",
        path: "/zitadel.user.v2.UserService/ListUsers",
        summary: "Search users",
        takes: Some(schema::<search::ListUsers>),
        answers: &[Answer(200, "A page", Some(schema::<search::Listed>))],
        run: Run::For(Permission::ReadIdentity, |call| Box::pin(connect(call, search::list))),
    },
    Operation {
        method: "POST",
        path: "/zitadel.user.v2.UserService/CreateUser",
        summary: "Create a user",
        takes: Some(schema::<human::CreateUser>),
        answers: &[Answer(200, "The user's id", Some(schema::<human::Created>))],
        run: Run::For(Permission::WriteIdentity, |call| Box::pin(connect(call, human::create_user))),
    },
    Operation {
        method: "POST",
        path: "/zitadel.user.v2.UserService/AddHumanUser",
        summary: "Create a person",
        takes: Some(schema::<human::AddHuman>),
        answers: &[Answer(200, "The user's id", Some(schema::<human::Added>))],
        run: Run::For(Permission::WriteIdentity, |call| Box::pin(connect(call, human::add_human))),
    },
    Operation {
        method: "POST",
        path: "/zitadel.user.v2.UserService/UpdateUser",
        summary: "Update a user",
        takes: Some(schema::<human::UpdateUser>),
        answers: &[Answer(200, "When it changed", Some(schema::<human::Updated>))],
        run: Run::For(Permission::WriteIdentity, |call| Box::pin(connect(call, human::update_user))),
    },
    Operation {
        method: "POST",
        path: "/zitadel.user.v2.UserService/SetPhone",
        summary: "Set a phone number",
        takes: Some(schema::<contacts::SetPhone>),
        answers: &[Answer(200, "The code, if it was to be returned", Some(schema::<DoneWithCode>))],
        run: Run::ForSelfOr(Permission::WriteIdentity, |call| Box::pin(connect(call, contacts::set_phone))),
    },
    Operation {
        method: "POST",
        path: "/zitadel.user.v2.UserService/RemovePhone",
        summary: "Remove a phone number",
        takes: Some(schema::<contacts::OfUser>),
        answers: &[Answer(200, "It is done", Some(schema::<Done>))],
        run: Run::ForSelfOr(Permission::WriteIdentity, |call| {
            Box::pin(connect(call, contacts::remove_phone))
        }),
    },
    Operation {
        method: "POST",
        path: "/zitadel.user.v2.UserService/ResendPhoneCode",
        summary: "Send a phone number's code again",
        takes: Some(schema::<contacts::AskForCode>),
        answers: &[Answer(200, "The code, if it was to be returned", Some(schema::<DoneWithCode>))],
        run: Run::ForSelfOr(Permission::WriteIdentity, |call| {
            Box::pin(connect(call, contacts::resend_phone))
        }),
    },
    Operation {
        method: "POST",
        path: "/zitadel.user.v2.UserService/VerifyPhone",
        summary: "Verify a phone number",
        takes: Some(schema::<contacts::Verify>),
        answers: &[Answer(200, "It is done", Some(schema::<Done>))],
        run: Run::ForSelfOr(Permission::WriteIdentity, |call| {
            Box::pin(connect(call, contacts::verify_phone))
        }),
    },
    Operation {
        method: "POST",
        path: "/zitadel.user.v2.UserService/SetEmail",
        summary: "Set an e-mail address",
        takes: Some(schema::<contacts::SetEmail>),
        answers: &[Answer(200, "The code, if it was to be returned", Some(schema::<DoneWithCode>))],
        run: Run::ForSelfOr(Permission::WriteIdentity, |call| Box::pin(connect(call, contacts::set_email))),
    },
    Operation {
        method: "POST",
        path: "/zitadel.user.v2.UserService/ResendEmailCode",
        summary: "Send an e-mail address's code again",
        takes: Some(schema::<contacts::AskForCode>),
        answers: &[Answer(200, "The code, if it was to be returned", Some(schema::<DoneWithCode>))],
        run: Run::ForSelfOr(Permission::WriteIdentity, |call| {
            Box::pin(connect(call, contacts::resend_email))
        }),
    },
    Operation {
        method: "POST",
        path: "/zitadel.user.v2.UserService/SendEmailCode",
        summary: "Send an e-mail address's code",
        takes: Some(schema::<contacts::AskForCode>),
        answers: &[Answer(200, "The code, if it was to be returned", Some(schema::<DoneWithCode>))],
        run: Run::ForSelfOr(Permission::WriteIdentity, |call| Box::pin(connect(call, contacts::send_email))),
    },
    Operation {
        method: "POST",
        path: "/zitadel.user.v2.UserService/VerifyEmail",
        summary: "Verify an e-mail address",
        takes: Some(schema::<contacts::Verify>),
        answers: &[Answer(200, "It is done", Some(schema::<Done>))],
        run: Run::ForSelfOr(Permission::WriteIdentity, |call| {
            Box::pin(connect(call, contacts::verify_email))
        }),
    },
];
