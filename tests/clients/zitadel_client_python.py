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


@check("what another user verified is a conflict, whichever call would take it, and nothing changes")
def _():
    one, two = create("py-one@example.com"), create("py-two@example.com")
    set_phone = m.UserServiceSetPhoneRequest(user_id=two, phone="+41791230003", return_code={})
    texted = users.set_phone(set_phone).verification_code
    set_email = m.UserServiceSetEmailRequest(user_id=two, email="py-taken@example.com", return_code={})
    mailed = users.set_email(set_email).verification_code
    users.set_phone(m.UserServiceSetPhoneRequest(user_id=one, phone="+41791230003", is_verified=True))
    users.set_email(m.UserServiceSetEmailRequest(user_id=one, email="py-taken@example.com", is_verified=True))
    before = users.get_user_by_id(m.UserServiceGetUserByIDRequest(user_id=two))
    three = create("py-three@example.com")
    phone = m.UserServiceSetHumanPhone(phone="+41791230003", is_verified=True)
    email = m.UserServiceSetHumanEmail(email="py-taken@example.com", is_verified=True)
    profile = m.UserServiceProfile(given_name="Jane", family_name="Doe")
    human = m.UserServiceHuman(profile=profile, email=email)
    add = m.UserServiceSetHumanProfile(given_name="Jane", family_name="Doe")
    conflicts = [
        (users.set_phone, m.UserServiceSetPhoneRequest(user_id=three, phone="+41791230003", is_verified=True)),
        (users.set_email, m.UserServiceSetEmailRequest(user_id=three, email="PY-taken@example.com", is_verified=True)),
        (users.verify_phone, m.UserServiceVerifyPhoneRequest(user_id=two, verification_code=texted)),
        (users.verify_email, m.UserServiceVerifyEmailRequest(user_id=two, verification_code=mailed)),
        (users.update_user, m.UserServiceUpdateUserRequest(user_id=two, human=m.UserServiceHuman(phone=phone))),
        (users.update_user, m.UserServiceUpdateUserRequest(user_id=two, username="py-one@example.com")),
        (users.create_user, m.UserServiceCreateUserRequest(organization_id="default", username="py-4", human=human)),
        (users.add_human_user, m.UserServiceAddHumanUserRequest(profile=add, email=email, username="py-4")),
    ]
    for call, request in conflicts:
        status, body = refusal(call, request)
        assert (status, body["code"]) == (409, "already_exists"), (request, body)
    after = users.get_user_by_id(m.UserServiceGetUserByIDRequest(user_id=two))
    assert after.user == before.user, after


@check("whoever is unknown is not found, whichever call asks")
def _():
    unknown = [
        (users.get_user_by_id, m.UserServiceGetUserByIDRequest(user_id="nobody")),
        (users.set_phone, m.UserServiceSetPhoneRequest(user_id="nobody", phone="+41791230004")),
        (users.resend_phone_code, m.UserServiceResendPhoneCodeRequest(user_id="nobody")),
        (users.verify_phone, m.UserServiceVerifyPhoneRequest(user_id="nobody", verification_code="ABC123")),
        (users.remove_phone, m.UserServiceRemovePhoneRequest(user_id="nobody")),
        (users.set_email, m.UserServiceSetEmailRequest(user_id="nobody", email="py-nobody@example.com")),
        (users.resend_email_code, m.UserServiceResendEmailCodeRequest(user_id="nobody")),
        (users.send_email_code, m.UserServiceSendEmailCodeRequest(user_id="nobody", return_code={})),
        (users.verify_email, m.UserServiceVerifyEmailRequest(user_id="nobody", verification_code="ABC123")),
        (users.update_user, m.UserServiceUpdateUserRequest(user_id="nobody", username="x")),
    ]
    for call, request in unknown:
        status, body = refusal(call, request)
        assert (status, body["code"]) == (404, "not_found"), (request, body)


@check("what is no value, or comes at the wrong time, is refused, whichever call brings it, and nothing changes")
def _():
    user = create("py-bad@example.com")
    before = users.get_user_by_id(m.UserServiceGetUserByIDRequest(user_id=user))
    no_phone = m.UserServiceHuman(phone=m.UserServiceSetHumanPhone(phone="call me"))
    no_email = m.UserServiceHuman(email=m.UserServiceSetHumanEmail(email="jane"))
    profile = m.UserServiceProfile(given_name="Jane", family_name="Doe")
    jane = m.UserServiceHuman(profile=profile, email=m.UserServiceSetHumanEmail(email="jane"))
    template = m.UserServiceSendEmailVerificationCode(url_template="https://app.example/{{.Password}}")
    invalid, too_early = "invalid_argument", "failed_precondition"
    bad = [
        (users.set_phone, m.UserServiceSetPhoneRequest(user_id=user, phone="call me"), invalid),
        (users.resend_phone_code, m.UserServiceResendPhoneCodeRequest(user_id=user), too_early),
        (users.verify_phone, m.UserServiceVerifyPhoneRequest(user_id=user, verification_code="??????"), invalid),
        (users.remove_phone, m.UserServiceRemovePhoneRequest(user_id=user), too_early),
        (users.set_email, m.UserServiceSetEmailRequest(user_id=user, email="jane"), invalid),
        (users.resend_email_code, m.UserServiceResendEmailCodeRequest(user_id=user), too_early),
        (users.send_email_code, m.UserServiceSendEmailCodeRequest(user_id=user, send_code=template), invalid),
        (users.verify_email, m.UserServiceVerifyEmailRequest(user_id=user, verification_code="??????"), invalid),
        (users.update_user, m.UserServiceUpdateUserRequest(user_id=user, username="py-x", human=no_phone), invalid),
        (users.update_user, m.UserServiceUpdateUserRequest(user_id=user, username="py-x", human=no_email), invalid),
        (users.create_user, m.UserServiceCreateUserRequest(organization_id="default", human=jane), invalid),
    ]
    for call, request, code in bad:
        status, body = refusal(call, request)
        assert (status, body["code"]) == (400, code), (request, body)
    after = users.get_user_by_id(m.UserServiceGetUserByIDRequest(user_id=user))
    assert after.user == before.user, after
    status, body = refusal(users.set_phone, m.UserServiceSetPhoneRequest(user_id=user, phone="call me"))
    assert body["message"] == "Phone is invalid (PHONE-so0wa)", body


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
