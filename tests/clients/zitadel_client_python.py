"""ZITADEL's Python client against Muster: every call about a phone number or an e-mail address."""

from zitadel_client import models as m
from zitadel_client.exceptions import ApiError
from zitadel_client.zitadel import Zitadel

from checks import BASE, TOKEN, Checks

check = Checks("zitadel-client (Python)")
users = Zitadel.with_access_token(BASE, TOKEN).users


def refusal(call, request):
    """The status and the body of a call that must fail."""
    try:
        call(request)
    except ApiError as error:
        return error.code, error.response_body
    raise AssertionError("it succeeded")


def create(email):
    request = m.UserServiceAddHumanUserRequest(
        profile=m.UserServiceSetHumanProfile(given_name="Jane", family_name="Doe"),
        email=m.UserServiceSetHumanEmail(email=email, is_verified=True),
    )
    return users.add_human_user(request).user_id


@check("a user is created and read")
def _():
    user = create("py-create@example.com")
    found = users.get_user_by_id(m.UserServiceGetUserByIDRequest(user_id=user)).user
    assert found.user_id == user
    assert (found.human.email.email, found.human.email.is_verified) == ("py-create@example.com", True)
    assert found.human.phone is None


@check("create_user answers with the codes that were asked for")
def _():
    request = m.UserServiceCreateUserRequest(
        organization_id="default",
        username="py-jane",
        human=m.UserServiceHuman(
            profile=m.UserServiceProfile(given_name="Jane", family_name="Doe"),
            email=m.UserServiceSetHumanEmail(email="py-new@example.com", return_code={}),
        ),
    )
    made = users.create_user(request)
    assert len(made.email_code) == 6
    users.verify_email(m.UserServiceVerifyEmailRequest(user_id=made.id, verification_code=made.email_code))


@check("a number is set, verified with the code that was returned, and removed")
def _():
    user = create("py-phone@example.com")
    set_phone = m.UserServiceSetPhoneRequest(user_id=user, phone="+41791230001", return_code={})
    code = users.set_phone(set_phone).verification_code
    again = users.resend_phone_code(m.UserServiceResendPhoneCodeRequest(user_id=user, return_code={}))
    assert again.verification_code != code
    wrong = m.UserServiceVerifyPhoneRequest(user_id=user, verification_code=code)
    status, body = refusal(users.verify_phone, wrong)
    assert (status, body["code"]) == (400, "invalid_argument"), body
    users.verify_phone(m.UserServiceVerifyPhoneRequest(user_id=user, verification_code=again.verification_code))
    phone = users.get_user_by_id(m.UserServiceGetUserByIDRequest(user_id=user)).user.human.phone
    assert (phone.phone, phone.is_verified) == ("+41791230001", True)
    users.remove_phone(m.UserServiceRemovePhoneRequest(user_id=user))
    assert refusal(users.remove_phone, m.UserServiceRemovePhoneRequest(user_id=user))[0] == 400


@check("a number that is set again is not changed")
def _():
    user = create("py-same@example.com")
    request = m.UserServiceSetPhoneRequest(user_id=user, phone="+41791230002", is_verified=True)
    assert users.set_phone(request).verification_code is None
    status, body = refusal(users.set_phone, request)
    assert (status, body["message"]) == (400, "Phone not changed (COMMAND-Uch5e)"), body


@check("a number that another user verified is a conflict")
def _():
    one, two = create("py-one@example.com"), create("py-two@example.com")
    users.set_phone(m.UserServiceSetPhoneRequest(user_id=one, phone="+41791230003", is_verified=True))
    request = m.UserServiceSetPhoneRequest(user_id=two, phone="+41791230003", is_verified=True)
    status, body = refusal(users.set_phone, request)
    assert (status, body["code"]) == (409, "already_exists"), body


@check("whoever is unknown is not found")
def _():
    request = m.UserServiceSetPhoneRequest(user_id="nobody", phone="+41791230004")
    status, body = refusal(users.set_phone, request)
    assert (status, body["code"]) == (404, "not_found"), body
    assert refusal(users.get_user_by_id, m.UserServiceGetUserByIDRequest(user_id="nobody"))[0] == 404
    update = m.UserServiceUpdateUserRequest(user_id="nobody", username="x")
    assert refusal(users.update_user, update)[0] == 404


@check("what is no number and no address is refused")
def _():
    user = create("py-bad@example.com")
    status, body = refusal(users.set_phone, m.UserServiceSetPhoneRequest(user_id=user, phone="call me"))
    assert (status, body["message"]) == (400, "Phone is invalid (PHONE-so0wa)"), body
    assert refusal(users.set_email, m.UserServiceSetEmailRequest(user_id=user, email="jane"))[0] == 400


@check("an address is set, and its code is sent and sent again")
def _():
    user = create("py-mail@example.com")
    request = m.UserServiceSetEmailRequest(user_id=user, email="py-mail2@example.com", return_code={})
    assert len(users.set_email(request).verification_code) == 6
    users.resend_email_code(m.UserServiceResendEmailCodeRequest(user_id=user))
    sent = users.send_email_code(m.UserServiceSendEmailCodeRequest(user_id=user, return_code={}))
    users.verify_email(m.UserServiceVerifyEmailRequest(user_id=user, verification_code=sent.verification_code))
    email = users.get_user_by_id(m.UserServiceGetUserByIDRequest(user_id=user)).user.human.email
    assert (email.email, email.is_verified) == ("py-mail2@example.com", True)
    assert refusal(users.resend_email_code, m.UserServiceResendEmailCodeRequest(user_id=user))[0] == 400


@check("an update changes what it names")
def _():
    user = create("py-update@example.com")
    human = m.UserServiceHuman(phone=m.UserServiceSetHumanPhone(phone="+41791230005", return_code={}))
    changed = users.update_user(m.UserServiceUpdateUserRequest(user_id=user, human=human))
    users.verify_phone(m.UserServiceVerifyPhoneRequest(user_id=user, verification_code=changed.phone_code))
    found = users.get_user_by_id(m.UserServiceGetUserByIDRequest(user_id=user)).user.human
    assert found.phone.is_verified and found.email.email == "py-update@example.com"


@check("users are found by their addresses and numbers")
def _():
    user = create("py-find@example.com")
    users.set_phone(m.UserServiceSetPhoneRequest(user_id=user, phone="+41791230006", is_verified=True))
    by_email = m.UserServiceSearchQuery(email_query=m.UserServiceEmailQuery(email_address="PY-find@example.com"))
    by_phone = m.UserServiceSearchQuery(phone_query=m.UserServicePhoneQuery(number="+41 79 123 00 06"))
    for query in (by_email, by_phone):
        found = users.list_users(m.UserServiceListUsersRequest(queries=[query]))
        assert [one.user_id for one in found.result] == [user], found


check.end()
