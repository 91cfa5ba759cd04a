"""Descope's Python SDK against Muster: what it does with users, login ids, addresses and numbers."""

import json
import urllib.request

from descope import AuthException, DescopeClient
from descope.management._user_base import UserObj
from descope.management.user_pwd import UserPassword, UserPasswordBcrypt, UserPasswordFirebase, UserPasswordPbkdf2

from checks import BASE, TOKEN, Checks

check = Checks("descope (Python)")
users = DescopeClient(project_id="default", management_key=TOKEN, base_url=BASE).mgmt.user


def refusal(call, *arguments, **named):
    """The status and the code of a call that must fail."""
    try:
        call(*arguments, **named)
    except AuthException as error:
        return error.status_code, json.loads(error.error_message)["errorCode"]
    raise AssertionError("it succeeded")


def create(login_id, **more):
    return users.create(login_id=login_id, **more)["user"]


@check("a user is created, loaded by every name, and deleted")
def _():
    made = create(
        "py-jane",
        email="py-jane@example.com",
        verified_email=True,
        phone="+41791232001",
        display_name="Jane Doe",
        given_name="Jane",
        family_name="Doe",
        role_names=["Admin"],
        custom_attributes={"plan": "x"},
        picture="https://img.example/1",
        additional_login_ids=["py-j"],
    )
    assert made["loginIds"] == ["py-jane", "py-j"], made
    assert (made["email"], made["verifiedEmail"]) == ("py-jane@example.com", True), made
    assert (made["phone"], made["verifiedPhone"]) == ("+41791232001", False), made
    assert (made["name"], made["familyName"], made["roleNames"]) == ("Jane Doe", "Doe", ["Admin"]), made
    for name in ["py-jane", "PY-J", "py-jane@example.com", made["userId"]]:
        assert users.load(name)["user"]["userId"] == made["userId"], name
    assert users.load_by_user_id(made["userId"])["user"] == users.load("py-jane")["user"]
    assert users.load_users([made["userId"], "nobody"])["users"][0]["userId"] == made["userId"]
    users.delete("py-jane")
    assert refusal(users.load, "py-jane") == (404, "E112102")
    assert refusal(users.delete_by_user_id, made["userId"]) == (404, "E112102")


@check("a number and an address are set, set again, replaced and taken away")
def _():
    create("py-contacts")
    for _ in range(2):
        user = users.update_phone("py-contacts", "+41791232002", True, True)["user"]
        assert (user["phone"], user["verifiedPhone"]) == ("+41791232002", True), user
        user = users.update_email("py-contacts", "py-contacts@example.com", True, True)["user"]
        assert (user["email"], user["verifiedEmail"]) == ("py-contacts@example.com", True), user
    user = users.update_phone("py-contacts", "+41791232003")["user"]
    assert (user["phone"], user["verifiedPhone"]) == ("+41791232003", False), user
    assert users.update_phone("py-contacts")["user"]["phone"] == ""
    assert users.update_email("py-contacts", "")["user"]["email"] == ""


@check("what is no number, no address or nobody's is refused")
def _():
    create("py-bad")
    assert refusal(users.update_phone, "py-bad", "call me", True) == (400, "E011003")
    assert refusal(users.update_email, "py-bad", "jane", True) == (400, "E011003")
    assert refusal(users.update_phone, "nobody", "+41791232004") == (404, "E112102")
    assert refusal(users.update_login_id, "nobody", "x") == (404, "E112102")
    assert refusal(users.create, "") == (400, "E011002")


@check("a login id is one user's, and a number that is another's is a conflict")
def _():
    create("py-one")
    create("+41791232005")
    assert refusal(users.create, "PY-ONE") == (409, "E062107")
    assert refusal(users.update_phone, "py-one", "+41791232005", True, True) == (409, "E111127")
    # The tenant merges no users.
    assert refusal(users.update_phone, "py-one", "+41791232005", True) == (409, "E111127")
    assert users.load("+41791232005")["user"]["loginIds"] == ["+41791232005"]


@check("a login id is changed and removed, but not the only one")
def _():
    create("py-login", additional_login_ids=["py-login2"])
    assert users.update_login_id("py-login", "py-login3")["user"]["loginIds"] == ["py-login3", "py-login2"]
    assert users.update_login_id("py-login3")["user"]["loginIds"] == ["py-login2"]
    assert refusal(users.update_login_id, "py-login2", "") == (400, "E011003")


@check("an update replaces a user, and a patch changes what it names")
def _():
    create("py-update", email="py-update@example.com", verified_email=True, given_name="Jane")
    user = users.patch("py-update", family_name="Doe", custom_attributes={"a": 1}, status="enabled")["user"]
    assert (user["givenName"], user["familyName"], user["verifiedEmail"]) == ("Jane", "Doe", True), user
    assert (user["customAttributes"], user["status"]) == ({"a": 1}, "enabled"), user
    user = users.update("py-update", phone="+41791232006", verified_phone=True)["user"]
    assert (user["email"], user["phone"], user["verifiedPhone"]) == ("", "+41791232006", True), user
    assert (user["givenName"], user["customAttributes"], user["status"]) == ("", {}, "enabled"), user


@check("name, picture, custom attribute, recovery and status are set one by one")
def _():
    create("py-parts")
    user = users.update_display_name("py-parts", "Jane", family_name="Doe")["user"]
    assert (user["name"], user["familyName"]) == ("Jane", "Doe"), user
    assert users.update_picture("py-parts", "https://img.example/2")["user"]["picture"] == "https://img.example/2"
    assert users.update_custom_attribute("py-parts", "seats", 3)["user"]["customAttributes"] == {"seats": 3}
    user = users.update_recovery_email("py-parts", "py-parts@home.example", True)["user"]
    assert (user["recoveryEmail"], user["verifiedRecoveryEmail"]) == ("py-parts@home.example", True), user
    user = users.update_recovery_phone("py-parts", "+41446681801", False)["user"]
    assert (user["recoveryPhone"], user["verifiedRecoveryPhone"]) == ("+41446681801", False), user
    assert users.deactivate("py-parts")["user"]["status"] == "disabled"
    assert users.activate("py-parts")["user"]["status"] == "enabled"


@check("a password is set and expires")
def _():
    create("py-password")
    assert refusal(users.expire_password, "py-password") == (400, "E011003")
    users.set_active_password("py-password", "Sup3rSecret!")
    users.set_temporary_password("py-password", "Sup3rSecret!2")
    users.expire_password("py-password")
    assert users.load("py-password")["user"]["password"] is True


@check("many users are invited, patched, found and deleted at once")
def _():
    batch = [UserObj("py-many1", email="py-many1@example.com"), UserObj("py-many2", phone="+41791232007"), UserObj("py-many1")]
    made = users.invite_batch(batch, send_mail=False)
    ids = [user["userId"] for user in made["createdUsers"]]
    assert (len(ids), len(made["failedUsers"])) == (2, 1), made
    patched = users.patch_batch([UserObj("py-many1", display_name="B1"), UserObj("py-many9", display_name="B9")])
    assert [user["name"] for user in patched["patchedUsers"]] == ["B1"], patched
    assert patched["failedUsers"][0]["failure"] == "User not found", patched
    found = lambda **by: [user["loginIds"][0] for user in users.search_all(**by)["users"]]
    assert found(emails=["PY-MANY1@example.com"]) == ["py-many1"]
    assert found(phones=["+41791232007"]) == ["py-many2"]
    assert found(login_ids=["py-many2"], statuses=["enabled"], from_created_time=0) == ["py-many2"]
    assert found(text="py-many", limit=1, page=1) == ["py-many2"]
    users.delete_batch(ids)
    assert found(user_ids=ids) == []


@check("hashes of passwords are taken where the tenant takes them")
def _():
    bcrypt = UserPasswordBcrypt("$2b$04$xYkmz81NisSrOrWuddhCiOXKjlbJmB1815mW7313iYrUGgoor39Ki")
    hashed = UserPasswordPbkdf2("QILGgfbAFgagYarcio0eTIM4bVYw03vJ0+YsPV2khQQ=", "c2FsdHNhbHRzYWx0MTIzNA==", 1500, "sha256")
    firebase = UserPasswordFirebase("QQ==", "QQ==", "QQ==", "QQ==", 14, 8)
    user = lambda name, password: UserObj(name, password=UserPassword(hashed=password))
    batch = [user("py-hash1", bcrypt), user("py-hash2", hashed), user("py-hash3", firebase)]
    refused = users.invite_batch(batch, send_mail=False)
    assert [len(refused[member]) for member in ["createdUsers", "failedUsers"]] == [0, 3], refused
    assert "accept-password-hashes" in refused["failedUsers"][0]["failure"], refused
    setting = urllib.request.Request(
        f"{BASE}/admin/v1/settings/accept-password-hashes", method="PUT", data=b'{"value": "on"}',
        headers={"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"},
    )
    assert urllib.request.urlopen(setting, timeout=30).status == 200
    made = users.invite_batch(batch, send_mail=False)
    assert [user["password"] for user in made["createdUsers"]] == [True, True], made
    assert "hashedPassword.firebase" in made["failedUsers"][0]["failure"], made


@check("a key counts in its project only")
def _():
    other = DescopeClient(project_id="other", management_key=TOKEN, base_url=BASE).mgmt.user
    assert refusal(other.load, "py-one") == (401, "MUSTER-401")
    wrong = DescopeClient(project_id="default", management_key="wrong", base_url=BASE).mgmt.user
    assert refusal(wrong.load, "py-one") == (401, "MUSTER-401")


check.end()
