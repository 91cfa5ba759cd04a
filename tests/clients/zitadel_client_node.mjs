// ZITADEL's client for Node against Muster, in the Connect protocol's JSON.

import assert from "node:assert/strict";

import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { UserService } from "@zitadel/proto/zitadel/user/v2/user_service_pb.js";

import { base, check, run, token } from "./checks.mjs";

const bearer = (next) => (request) => {
  request.header.set("Authorization", `Bearer ${token}`);
  return next(request);
};
const transport = createConnectTransport({
  baseUrl: base,
  httpVersion: "1.1",
  useBinaryFormat: false,
  interceptors: [bearer],
});
const users = createClient(UserService, transport);

async function create(email) {
  const made = await users.addHumanUser({
    profile: { givenName: "Jane", familyName: "Doe" },
    email: { email, verification: { case: "isVerified", value: true } },
  });
  return made.userId;
}

async function refusal(promise) {
  try {
    await promise;
  } catch (error) {
    assert(error instanceof ConnectError, error);
    return error;
  }
  assert.fail("it succeeded");
}

check("a user is created and read", async () => {
  const userId = await create("js-create@example.com");
  const { user, details } = await users.getUserByID({ userId });
  assert.equal(user.type.case, "human");
  assert.deepEqual([user.type.value.email.email, user.type.value.email.isVerified], ["js-create@example.com", true]);
  assert.equal(details.sequence, 1n);
});

check("a number is set, verified with the code that was returned, and removed", async () => {
  const userId = await create("js-phone@example.com");
  const set = await users.setPhone({ userId, phone: "+41791231001", verification: { case: "returnCode", value: {} } });
  const again = await users.resendPhoneCode({ userId, verification: { case: "returnCode", value: {} } });
  const wrong = await refusal(users.verifyPhone({ userId, verificationCode: set.verificationCode }));
  assert.deepEqual([wrong.code, wrong.rawMessage], [Code.InvalidArgument, "Code is invalid (COMMAND-eis9R)"]);
  await users.verifyPhone({ userId, verificationCode: again.verificationCode });
  const { user } = await users.getUserByID({ userId });
  assert.equal(user.type.value.phone.isVerified, true);
  await users.removePhone({ userId });
  assert.equal((await refusal(users.removePhone({ userId }))).code, Code.FailedPrecondition);
});

check("a number that is set again is not changed, and the id is in the detail", async () => {
  const userId = await create("js-same@example.com");
  const request = { userId, phone: "+41791231002", verification: { case: "isVerified", value: true } };
  await users.setPhone(request);
  const error = await refusal(users.setPhone(request));
  assert.deepEqual([error.code, error.rawMessage], [Code.FailedPrecondition, "Phone not changed (COMMAND-Uch5e)"]);
  const [detail] = error.details;
  assert.equal(detail.type, "zitadel.v1.ErrorDetail");
  assert(Buffer.from(detail.value).includes("COMMAND-Uch5e"));
});

const returned = { case: "returnCode", value: {} };
const verified = { case: "isVerified", value: true };
const human = (value) => ({ case: "human", value });
const profile = { givenName: "Jane", familyName: "Doe" };

check("what another user verified is a conflict, whichever call would take it, and nothing changes", async () => {
  const [one, two] = [await create("js-one@example.com"), await create("js-two@example.com")];
  const [phone, email] = ["+41791231003", "js-taken@example.com"];
  const texted = await users.setPhone({ userId: two, phone, verification: returned });
  const mailed = await users.setEmail({ userId: two, email, verification: returned });
  await users.setPhone({ userId: one, phone, verification: verified });
  await users.setEmail({ userId: one, email, verification: verified });
  const before = await users.getUserByID({ userId: two });
  const userId = await create("js-three@example.com");
  const taken = { email, verification: verified };
  const conflicts = {
    setPhone: { userId, phone, verification: verified },
    setEmail: { userId, email: "JS-taken@example.com", verification: verified },
    verifyPhone: { userId: two, verificationCode: texted.verificationCode },
    verifyEmail: { userId: two, verificationCode: mailed.verificationCode },
    updateUser: { userId: two, userType: human({ phone: { phone, verification: verified } }) },
    createUser: { organizationId: "default", username: "js-4", userType: human({ profile, email: taken }) },
    addHumanUser: { username: "js-4", profile, email: taken },
  };
  for (const [call, request] of Object.entries(conflicts)) {
    assert.equal((await refusal(users[call](request))).code, Code.AlreadyExists, call);
  }
  assert.deepEqual(await users.getUserByID({ userId: two }), before);
});

check("whoever is unknown is not found, whichever call asks", async () => {
  const userId = "nobody";
  const unknown = {
    getUserByID: { userId },
    setPhone: { userId, phone: "+41791231004" },
    resendPhoneCode: { userId },
    verifyPhone: { userId, verificationCode: "ABC123" },
    removePhone: { userId },
    setEmail: { userId, email: "js-nobody@example.com" },
    resendEmailCode: { userId },
    sendEmailCode: { userId, verification: returned },
    verifyEmail: { userId, verificationCode: "ABC123" },
    updateUser: { userId, username: "x" },
  };
  for (const [call, request] of Object.entries(unknown)) {
    assert.equal((await refusal(users[call](request))).code, Code.NotFound, call);
  }
});

check("what is no value, or comes at the wrong time, is refused, whichever call brings it, and nothing changes", async () => {
  const userId = await create("js-bad@example.com");
  const before = await users.getUserByID({ userId });
  const link = { case: "sendCode", value: { urlTemplate: "https://app.example/{{.Password}}" } };
  const bad = [
    ["setPhone", { userId, phone: "call me" }, Code.InvalidArgument],
    ["resendPhoneCode", { userId }, Code.FailedPrecondition],
    ["verifyPhone", { userId, verificationCode: "??????" }, Code.InvalidArgument],
    ["removePhone", { userId }, Code.FailedPrecondition],
    ["setEmail", { userId, email: "jane" }, Code.InvalidArgument],
    ["resendEmailCode", { userId }, Code.FailedPrecondition],
    ["sendEmailCode", { userId, verification: link }, Code.InvalidArgument],
    ["verifyEmail", { userId, verificationCode: "" }, Code.InvalidArgument],
    ["updateUser", { userId, username: "js-x", userType: human({ phone: { phone: "call me" } }) }, Code.InvalidArgument],
    ["updateUser", { userId, username: "js-x", userType: human({ email: { email: "jane" } }) }, Code.InvalidArgument],
    ["createUser", { organizationId: "default", userType: human({ profile }) }, Code.InvalidArgument],
    ["createUser", { organizationId: "nowhere", userType: human({ profile }) }, Code.PermissionDenied],
    ["addHumanUser", { profile, email: { email: "jane" } }, Code.InvalidArgument],
  ];
  for (const [call, request, code] of bad) {
    assert.equal((await refusal(users[call](request))).code, code, call);
  }
  assert.deepEqual(await users.getUserByID({ userId }), before);
});

check("an address is set, and its code is sent and sent again", async () => {
  const userId = await create("js-mail@example.com");
  await users.setEmail({ userId, email: "js-mail2@example.com" });
  await users.resendEmailCode({ userId });
  const sent = await users.sendEmailCode({ userId, verification: returned });
  await users.verifyEmail({ userId, verificationCode: sent.verificationCode });
  assert.equal((await refusal(users.resendEmailCode({ userId }))).code, Code.FailedPrecondition);
});

check("a user is created with codes, and an update changes what it names", async () => {
  const made = await users.createUser({
    organizationId: "default",
    userType: {
      case: "human",
      value: {
        profile: { givenName: "Jane", familyName: "Doe" },
        email: { email: "js-new@example.com", verification: { case: "returnCode", value: {} } },
      },
    },
  });
  await users.verifyEmail({ userId: made.id, verificationCode: made.emailCode });
  const phone = { phone: "+41791231005", verification: { case: "returnCode", value: {} } };
  const changed = await users.updateUser({ userId: made.id, userType: { case: "human", value: { phone } } });
  await users.verifyPhone({ userId: made.id, verificationCode: changed.phoneCode });
});

check("users are found by their addresses and numbers", async () => {
  const userId = await create("js-find@example.com");
  await users.setPhone({ userId, phone: "+41791231006", verification: { case: "isVerified", value: true } });
  const byEmail = { query: { case: "emailQuery", value: { emailAddress: "JS-find@example.com" } } };
  const byPhone = { query: { case: "phoneQuery", value: { number: "+41 79 123 10 06" } } };
  for (const query of [byEmail, byPhone]) {
    const { result, details } = await users.listUsers({ queries: [query] });
    assert.deepEqual([result.map((user) => user.userId), details.totalResult], [[userId], 1n]);
  }
});

await run("@zitadel/client (Node)");
