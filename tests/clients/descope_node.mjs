// Descope's SDK for Node against Muster: what it does with users, login ids, addresses and numbers.

import assert from "node:assert/strict";

import DescopeClient from "@descope/node-sdk";

import { base, check, run, token } from "./checks.mjs";

const sdk = (projectId, managementKey) => DescopeClient({ projectId, managementKey, baseUrl: base });
const users = sdk("default", token).management.user;

/** The data of a call that must succeed. */
async function good(promise) {
  const answer = await promise;
  assert(answer.ok, JSON.stringify(answer.error));
  return answer.data;
}

/** The status and the code of a call that must fail. */
async function refusal(promise) {
  const { ok, code, error } = await promise;
  assert(!ok, "it succeeded");
  assert(error.errorDescription && error.errorMessage, JSON.stringify(error));
  return [code, error.errorCode];
}

check("a user is created, loaded by every name, and deleted", async () => {
  const made = await good(
    users.create("js-jane", {
      email: "js-jane@example.com",
      verifiedEmail: true,
      phone: "+41791233001",
      displayName: "Jane Doe",
      roles: ["Admin"],
      customAttributes: { plan: "x" },
      additionalLoginIds: ["js-j"],
    }),
  );
  assert.deepEqual(made.loginIds, ["js-jane", "js-j"]);
  assert.deepEqual([made.email, made.verifiedEmail], ["js-jane@example.com", true]);
  assert.deepEqual([made.name, made.roleNames, made.customAttributes], ["Jane Doe", ["Admin"], { plan: "x" }]);
  for (const name of ["js-jane", "JS-J", "js-jane@example.com", made.userId]) {
    assert.equal((await good(users.load(name))).userId, made.userId);
  }
  assert.equal((await good(users.loadByUserId(made.userId))).name, "Jane Doe");
  assert.equal((await good(users.loadUsers([made.userId, "nobody"]))).length, 1);
  await good(users.delete("js-jane"));
  assert.deepEqual(await refusal(users.load("js-jane")), [404, "E112102"]);
  assert.deepEqual(await refusal(users.deleteByUserId(made.userId)), [404, "E112102"]);
});

check("a number and an address are set, set again, replaced and taken away", async () => {
  await good(users.create("js-contacts"));
  for (const _ of [1, 2]) {
    const { phone, verifiedPhone } = await good(users.updatePhone("js-contacts", "+41791233002", true, true));
    assert.deepEqual([phone, verifiedPhone], ["+41791233002", true]);
    const { email, verifiedEmail } = await good(users.updateEmail("js-contacts", "js-c@example.com", true, true));
    assert.deepEqual([email, verifiedEmail], ["js-c@example.com", true]);
  }
  const { phone, verifiedPhone } = await good(users.updatePhone("js-contacts", "+41791233003", false));
  assert.deepEqual([phone, verifiedPhone], ["+41791233003", false]);
  assert.equal((await good(users.updatePhone("js-contacts", "", false))).phone, "");
  assert.equal((await good(users.updateEmail("js-contacts", "", false))).email, "");
});

check("what is no number, no address or nobody's is refused", async () => {
  await good(users.create("js-bad"));
  assert.deepEqual(await refusal(users.updatePhone("js-bad", "call me", true)), [400, "E011003"]);
  assert.deepEqual(await refusal(users.updateEmail("js-bad", "jane", true)), [400, "E011003"]);
  assert.deepEqual(await refusal(users.updatePhone("nobody", "+41791233004", true)), [404, "E112102"]);
  assert.deepEqual(await refusal(users.create("")), [400, "E011002"]);
});

check("a login id is one user's, and a number that is another's is a conflict", async () => {
  await good(users.create("js-one"));
  await good(users.create("+41791233005"));
  assert.deepEqual(await refusal(users.create("JS-ONE")), [409, "E062107"]);
  assert.deepEqual(await refusal(users.updatePhone("js-one", "+41791233005", true, true)), [409, "E111127"]);
  // The tenant merges no users.
  assert.deepEqual(await refusal(users.updatePhone("js-one", "+41791233005", true)), [409, "E111127"]);
});

check("a login id is changed and removed, but not the only one", async () => {
  await good(users.create("js-login", { additionalLoginIds: ["js-login2"] }));
  assert.deepEqual((await good(users.updateLoginId("js-login", "js-login3"))).loginIds, ["js-login3", "js-login2"]);
  assert.deepEqual((await good(users.updateLoginId("js-login3"))).loginIds, ["js-login2"]);
  assert.deepEqual(await refusal(users.updateLoginId("js-login2")), [400, "E011003"]);
});

check("an update replaces a user, and a patch changes what it names", async () => {
  await good(users.create("js-update", { email: "js-u@example.com", verifiedEmail: true, givenName: "Jane" }));
  const patched = await good(users.patch("js-update", { familyName: "Doe", customAttributes: { a: 1 }, status: "enabled" }));
  assert.deepEqual([patched.givenName, patched.familyName, patched.verifiedEmail], ["Jane", "Doe", true]);
  const updated = await good(users.update("js-update", { phone: "+41791233006", verifiedPhone: true }));
  assert.deepEqual([updated.email, updated.phone, updated.givenName, updated.status], ["", "+41791233006", "", "enabled"]);
});

check("name, picture, custom attribute and status are set one by one", async () => {
  await good(users.create("js-parts"));
  const named = await good(users.updateDisplayName("js-parts", "Jane", undefined, undefined, "Doe"));
  assert.deepEqual([named.name, named.familyName], ["Jane", "Doe"]);
  assert.equal((await good(users.updatePicture("js-parts", "https://img.example/2"))).picture, "https://img.example/2");
  const { customAttributes } = await good(users.updateCustomAttribute("js-parts", "seats", 3));
  assert.deepEqual(customAttributes, { seats: 3 });
  assert.equal((await good(users.deactivate("js-parts"))).status, "disabled");
  assert.equal((await good(users.activate("js-parts"))).status, "enabled");
});

check("many users are created, patched, found and deleted at once", async () => {
  const batch = [{ loginId: "js-many1", email: "js-many1@example.com" }, { loginId: "js-many2" }, { loginId: "js-many1" }];
  const made = await good(users.createBatch(batch));
  assert.deepEqual([made.createdUsers.length, made.failedUsers.length], [2, 1]);
  const patched = await good(users.patchBatch([{ loginId: "js-many1", displayName: "B1" }, { loginId: "js-many9" }]));
  assert.deepEqual(patched.patchedUsers.map((user) => user.name), ["B1"]);
  const found = async (by) => (await good(users.search(by))).users.map((user) => user.loginIds[0]);
  assert.deepEqual(await found({ emails: ["JS-MANY1@example.com"] }), ["js-many1"]);
  assert.deepEqual(await found({ text: "js-many", limit: 1, page: 1 }), ["js-many2"]);
  const userIds = made.createdUsers.map((user) => user.userId);
  await good(users.deleteBatch(userIds));
  assert.deepEqual(await found({ userIds }), []);
});

check("a key counts in its project only", async () => {
  assert.deepEqual(await refusal(sdk("other", token).management.user.load("js-one")), [401, "MUSTER-401"]);
  assert.deepEqual(await refusal(sdk("default", "wrong").management.user.load("js-one")), [401, "MUSTER-401"]);
});

await run("@descope/node-sdk (Node)");
