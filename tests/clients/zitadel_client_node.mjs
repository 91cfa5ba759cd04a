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

check("a number that another user verified is a conflict", async () => {
  const [one, two] = [await create("js-one@example.com"), await create("js-two@example.com")];
  const verification = { case: "isVerified", value: true };
  await users.setPhone({ userId: one, phone: "+41791231003", verification });
  const error = await refusal(users.setPhone({ userId: two, phone: "+41791231003", verification }));
  assert.equal(error.code, Code.AlreadyExists);
});

check("whoever is unknown is not found", async () => {
  assert.equal((await refusal(users.setPhone({ userId: "nobody", phone: "+41791231004" }))).code, Code.NotFound);
  assert.equal((await refusal(users.getUserByID({ userId: "nobody" }))).code, Code.NotFound);
  assert.equal((await refusal(users.updateUser({ userId: "nobody", username: "x" }))).code, Code.NotFound);
});

check("what is no number and no address is refused", async () => {
  const userId = await create("js-bad@example.com");
  assert.equal((await refusal(users.setPhone({ userId, phone: "call me" }))).code, Code.InvalidArgument);
  assert.equal((await refusal(users.setEmail({ userId, email: "jane" }))).code, Code.InvalidArgument);
});

check("an address is set, and its code is sent and sent again", async () => {
  const userId = await create("js-mail@example.com");
  await users.setEmail({ userId, email: "js-mail2@example.com" });
  await users.resendEmailCode({ userId });
  const verification = { case: "returnCode", value: {} };
  const sent = await users.sendEmailCode({ userId, verification });
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
