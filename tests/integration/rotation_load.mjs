// npm openid-client under way all the time: fetches a token by client credentials, introspects it until it is active, and then once more.
import './web_platform.mjs';
import { setTimeout as sleep } from 'node:timers/promises';
import { decodeProtectedHeader } from 'jose';
import * as client from 'openid-client';
import { answerCommands } from './commands.mjs';

const kids = {}; // what became of the tokens that each key signed
const workers = [];
let isRunning = true;

async function introspectUntilActive(resourceServer, token, seen) {
  const refusedMs = performance.now();
  for (let refusals = 0; ; refusals++) {
    const answer = await client.tokenIntrospection(resourceServer, token);
    seen.introspections++;
    if (answer.active) {
      if (refusals > 0) {
        seen.refusedTokens++;
        seen.longestRefusalMs = Math.max(seen.longestRefusalMs, performance.now() - refusedMs);
      }
      return;
    }
    seen.refusals++;
    if (performance.now() - refusedMs > 60_000) throw new Error('refused for a minute');
    await sleep(10);
  }
}

async function work(application, resourceServer, resource) {
  while (isRunning) {
    const { access_token: token } = await client.clientCredentialsGrant(application, { resource, scope: 'channel:read' });
    const { kid } = decodeProtectedHeader(token);
    const seen = (kids[kid] ??= {
      kid, tokens: 0, introspections: 0, refusals: 0, refusedTokens: 0, longestRefusalMs: 0, token,
    });
    seen.tokens++;
    await introspectUntilActive(resourceServer, token, seen);
    const again = await client.tokenIntrospection(resourceServer, token);
    if (!again.active) throw new Error(`a token of ${kid} was active and is not any more`);
  }
}

await answerCommands({
  async start({ issuer, application, resource, endpoint, caller, parallel }) {
    const authentication = client.ClientSecretBasic(application.secret);
    const configuration = await client.discovery(new URL(issuer), application.client_id, undefined, authentication);
    const server = { issuer: new URL('/', endpoint).href, introspection_endpoint: endpoint };
    const resourceServer = new client.Configuration(server, caller.client_id, caller.secret);
    client.allowInsecureRequests(resourceServer);
    for (let i = 0; i < parallel; i++) {
      const worker = work(configuration, resourceServer, resource);
      worker.catch(() => {}); // stop tells
      workers.push(worker);
    }
  },
  report: () => kids,
  async stop() {
    isRunning = false;
    await Promise.all(workers);
    return kids;
  },
});
