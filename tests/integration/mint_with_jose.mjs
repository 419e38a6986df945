// Signs each job's claims ({jwk, header, claims}) with npm jose and gives the compact JWS.
import './web_platform.mjs';
import { importJWK, SignJWT } from 'jose';
import { runJobs } from './jobs.mjs';

await runJobs(async ({ jwk, header, claims }) => {
  const key = await importJWK(jwk, header.alg);
  return new SignJWT(claims).setProtectedHeader(header).sign(key);
});
