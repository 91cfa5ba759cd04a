// A SCIM server in memory made with scimmy and scimmy-routers: node scimmy.mjs PORT TOKEN
import { createHash, randomUUID } from "node:crypto";
import express from "express";
import SCIMMY from "scimmy";
import SCIMMYRouters from "scimmy-routers";

const [port, token] = process.argv.slice(2);

// The handlers that scimmy asks for: it parses requests and formats answers, we keep the resources.
function keep(type, unique) {
  const all = new Map();
  const taken = (name, id) =>
    [...all.values()].some((one) => one.id !== id && one[unique]?.toLowerCase() === name?.toLowerCase());
  const found = (id) => {
    if (!all.has(id)) throw new SCIMMY.Types.Error(404, null, `Resource ${id} not found`);
    return all.get(id);
  };
  return SCIMMY.Resources.declare(type, {
    ingress: (resource, data) => {
      const old = resource.id ? found(resource.id) : undefined;
      if (type === SCIMMY.Resources.User && taken(data[unique], resource.id)) {
        throw new SCIMMY.Types.Error(409, "uniqueness", `${unique} is taken`);
      }
      const id = old?.id ?? randomUUID();
      const kept = JSON.parse(JSON.stringify(data));
      delete kept.meta;
      const now = new Date().toISOString();
      const hash = createHash("sha1").update(JSON.stringify(kept)).digest("hex");
      const { created = now, lastModified } = old?.meta ?? {};
      const meta = { resourceType: type.name, created, lastModified: old?.hash === hash ? lastModified : now };
      const one = { ...kept, id, meta, hash };
      all.set(id, one);
      return one;
    },
    egress: (resource) => {
      if (resource.id) return found(resource.id);
      const list = [...all.values()];
      return resource.filter ? resource.filter.match(list) : list;
    },
    degress: (resource) => {
      found(resource.id);
      all.delete(resource.id);
    },
  });
}

SCIMMY.Config.set({ patch: true, filter: true, sort: true, bulk: true, etag: false, changePassword: false });
SCIMMY.Resources.User.extend(SCIMMY.Schemas.EnterpriseUser, false);
keep(SCIMMY.Resources.User, "userName");
keep(SCIMMY.Resources.Group, "displayName");

const app = express();
app.use(
  "/scim",
  new SCIMMYRouters({
    type: "bearer",
    handler: (request) => {
      if (request.header("Authorization") !== `Bearer ${token}`) throw new Error("the token is not known");
      return "somebody";
    },
  }),
);
app.listen(Number(port), "127.0.0.1", () => console.log("listening"));
