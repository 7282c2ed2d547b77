// Makes calls with the official Node SDK: each line of the input is one, each line of the output its answer.
//
// PLACE tells the endpoint and the keys, PATIENCE how many seconds a call may take. Services without a package of their
// own here go through the SDK's common client.
"use strict";

const readline = require("node:readline");
const { CommonClient } = require("tencentcloud-sdk-nodejs-common");

const place = JSON.parse(process.env.PLACE);
const [scheme, host] = place.endpoint.split("://");
const clients = new Map();

function connect(service, version) {
  const settings = {
    credential: { secretId: place.secret_id, secretKey: place.secret_key, token: place.token || undefined },
    region: place.region,
    profile: { httpProfile: { protocol: scheme + "://", endpoint: host, reqTimeout: Number(process.env.PATIENCE) } },
  };
  let versions;
  try {
    versions = require("tencentcloud-sdk-nodejs-" + service)[service];
  } catch (error) {
    if (error.code !== "MODULE_NOT_FOUND") throw error;
    const common = new CommonClient(host, version, settings);
    return (action, parameters) => common.request(action, parameters);
  }
  const client = new versions["v" + version.replaceAll("-", "")].Client(settings);
  return (action, parameters) => client[action](parameters);
}

async function answer({ service, version, action, parameters }) {
  const key = service + " " + version;
  if (!clients.has(key)) clients.set(key, connect(service, version));
  try {
    return { answer: await clients.get(key)(action, parameters) };
  } catch (error) {
    if (!error.requestId) return { failure: String(error.stack || error) };
    return { code: error.code, message: error.message, request_id: error.requestId };
  }
}

(async () => {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    process.stdout.write(JSON.stringify(await answer(JSON.parse(line))) + "\n");
  }
})();
