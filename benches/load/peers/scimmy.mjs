// The SCIM server that scimmy and scimmy-routers make, with users in memory and their names in an index.
import { randomUUID } from "node:crypto";
import express from "express";
import SCIMMY from "scimmy";
import SCIMMYRouters from "scimmy-routers";

const users = new Map();
const names = new Map();

function found(resource) {
    if (resource.id) {
        const user = users.get(resource.id);
        if (!user) throw new SCIMMY.Types.Error(404, null, `Resource ${resource.id} not found`);
        return user;
    }
    const named = /^userName eq "(.*)"$/.exec(String(resource.filter?.expression ?? ""));
    if (named) {
        const id = names.get(named[1]);
        return id ? [users.get(id)] : [];
    }
    return [...users.values()];
}

function keep(resource, instance) {
    const id = resource.id ?? randomUUID();
    const now = new Date();
    const created = users.get(id)?.meta.created ?? now;
    const user = { ...JSON.parse(JSON.stringify(instance)), id, meta: { created, lastModified: now } };
    users.set(id, user);
    names.set(user.userName, id);
    return user;
}

SCIMMY.Resources.declare(SCIMMY.Resources.User, {
    egress: found,
    ingress: keep,
    degress: (resource) => users.delete(resource.id),
});

const app = express();
app.use("/v2", new SCIMMYRouters({
    type: "bearer",
    handler: (request) => {
        if (request.header("Authorization") !== `Bearer ${process.argv[2]}`) throw new Error("who are you?");
        return "";
    },
}));
const server = app.listen(0, "127.0.0.1", () => {
    console.log(`listening on ${server.address().port}`);
});
