// Introspects each job's token ({url, clientId, clientSecret, method, token}) with npm openid-client.
import './web_platform.mjs';
import * as client from 'openid-client';
import { runJobs } from './jobs.mjs';

const METHODS = {
  // What the library does by itself when it is given a plain secret.
  default: (secret) => secret,
  client_secret_basic: client.ClientSecretBasic,
  client_secret_post: client.ClientSecretPost,
};

await runJobs(async ({ url, clientId, clientSecret, method, token }) => {
  const server = { issuer: new URL('/', url).href, introspection_endpoint: url };
  const authentication = METHODS[method](clientSecret);
  const configuration =
    method === 'default'
      ? new client.Configuration(server, clientId, authentication)
      : new client.Configuration(server, clientId, undefined, authentication);
  client.allowInsecureRequests(configuration);
  return client.tokenIntrospection(configuration, token);
});
