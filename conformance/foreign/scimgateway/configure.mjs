// Makes config/plugin-loki.json of a checkout listen on PORT of loopback and take TOKEN.
import fs from "node:fs";

const file = "config/plugin-loki.json";
const config = JSON.parse(fs.readFileSync(file));
const gateway = config.scimgateway;
gateway.port = Number(process.env.PORT);
gateway.localhostonly = true;
gateway.log.loglevel = { file: "off", console: "error" };
gateway.auth.basic = [];
gateway.auth.bearerToken = [{ token: process.env.TOKEN, readOnly: false, baseEntities: [] }];
fs.writeFileSync(file, JSON.stringify(config, null, 2));
