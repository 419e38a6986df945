// Introspects each job's token ({url, clientId, clientSecret, method, token}) with npm oauth4webapi.
import './web_platform.mjs';
import * as oauth from 'oauth4webapi';
import { runJobs } from './jobs.mjs';

const METHODS = {
  client_secret_basic: oauth.ClientSecretBasic,
  client_secret_post: oauth.ClientSecretPost,
};

await runJobs(async ({ url, clientId, clientSecret, method, token }) => {
  const server = { issuer: new URL('/', url).href, introspection_endpoint: url };
  const client = { client_id: clientId };
  const response = await oauth.introspectionRequest(server, client, METHODS[method](clientSecret), token, {
    [oauth.allowInsecureRequests]: true,
    additionalParameters: { token_type_hint: 'access_token' },
  });
  return oauth.processIntrospectionResponse(server, client, response);
});
