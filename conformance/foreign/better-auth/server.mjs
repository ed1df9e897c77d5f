// better-auth with its SCIM plugin and its adapter that keeps everything in memory.
// PORT and TOKEN (at least 32 characters) come from the environment.
import http from "node:http";
import { scim } from "@better-auth/scim";
import { betterAuth } from "better-auth";
import { memoryAdapter } from "better-auth/adapters/memory";
import { getAuthTables } from "better-auth/db";
import { toNodeHandler } from "better-auth/node";

const port = Number(process.env.PORT);
const plugin = scim({ connections: [{ id: "hub", credentials: [{ id: "key", type: "bearer", token: process.env.TOKEN }] }] });
const db = {};
for (const [key, table] of Object.entries(getAuthTables({ plugins: [plugin] }))) {
  db[key] = [];
  db[table.modelName] = db[key];
}
const auth = betterAuth({
  baseURL: `http://127.0.0.1:${port}`,
  secret: crypto.randomUUID() + crypto.randomUUID(),
  database: memoryAdapter(db),
  emailAndPassword: { enabled: true },
  rateLimit: { enabled: false },
  plugins: [plugin],
});
http.createServer(toNodeHandler(auth)).listen(port, "127.0.0.1");
