// scimmy with its express routers, its resources kept in two maps.
// PORT and TOKEN come from the environment.
import crypto from "node:crypto";
import express from "express";
import SCIMMY from "scimmy";
import SCIMMYRouters from "scimmy-routers";

const { Resources, Schemas, Types } = SCIMMY;
const missing = () => new Types.Error(404, null, "not found");

// keep declares one type of resource whose field no two may share.
function keep(resource, field) {
  const kept = new Map();
  const fold = (value) => String(value).toLowerCase();
  resource.egress((asked) => {
    if (!asked.id) {
      const all = [...kept.values()];
      return asked.filter ? asked.filter.match(all) : all;
    }
    if (!kept.has(asked.id)) throw missing();
    return kept.get(asked.id);
  });
  resource.ingress((asked, instance) => {
    if (asked.id && !kept.has(asked.id)) throw missing();
    for (const other of kept.values()) {
      if (other.id !== asked.id && fold(other[field]) === fold(instance[field])) throw new Types.Error(409, "uniqueness", "exists");
    }
    const id = asked.id ?? crypto.randomUUID();
    const now = new Date();
    const doc = { ...JSON.parse(JSON.stringify(instance)), id, meta: { created: kept.get(id)?.meta.created ?? now, lastModified: now } };
    kept.set(id, doc);
    return doc;
  });
  resource.degress((asked) => {
    if (!kept.delete(asked.id)) throw missing();
  });
}

keep(Resources.declare(Resources.User), "userName");
keep(Resources.declare(Resources.Group), "displayName");
Resources.User.extend(Schemas.EnterpriseUser, false);

const app = express();
app.use("/scim", new SCIMMYRouters({
  type: "bearer",
  docUri: "https://example.com",
  handler: (request) => {
    if (request.header("Authorization") !== `Bearer ${process.env.TOKEN}`) throw new Error("who are you?");
    return "hub";
  },
}));
app.listen(Number(process.env.PORT), "127.0.0.1");
