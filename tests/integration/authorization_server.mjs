// npm oidc-provider over https on loopback: JWT access tokens by client credentials for one resource. To rotate its keys it is made
// anew with other ones, as if it had been started again with them, behind the same listener.
import { createServer } from 'node:https';
import { answerCommands } from './commands.mjs';
import Provider from 'oidc-provider';

const requests = {};
let serveWithPresentKeys;

function provide({ issuer, resource, client, claims, keys }) {
  const provider = new Provider(issuer, {
    jwks: { keys },
    clients: [
      {
        client_id: client.client_id,
        client_secret: client.secret,
        grant_types: ['client_credentials'],
        redirect_uris: [],
        response_types: [],
      },
    ],
    cookies: { keys: ['unused'] },
    extraTokenClaims: () => claims,
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: false },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: () => ({
          scope: 'channel:read',
          audience: resource,
          accessTokenFormat: 'jwt',
          accessTokenTTL: 3600,
          jwt: { sign: { alg: 'RS256' } },
        }),
      },
    },
  });
  return provider.callback();
}

let settings;

await answerCommands({
  start({ port, certificate, certificateKey, ...rest }) {
    settings = rest;
    serveWithPresentKeys = provide(settings);
    const server = createServer({ cert: certificate, key: certificateKey }, (request, response) => {
      const [path] = request.url.split('?');
      requests[path] = (requests[path] ?? 0) + 1;
      serveWithPresentKeys(request, response);
    });
    return new Promise((resolve) => server.listen(port, '127.0.0.1', () => resolve()));
  },
  // The first key signs.
  use({ keys }) {
    serveWithPresentKeys = provide({ ...settings, keys });
  },
  requests: () => requests,
});
