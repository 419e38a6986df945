// The opinion of npm jose: {"keys": {NAME: JWK}, "tokens": [[NAME, ALGORITHM, TOKEN]...]} in on standard input, a list of booleans out.
import '../integration/web_platform.mjs';
import { createRequire } from 'node:module';
import { text } from 'node:stream/consumers';
import { pathToFileURL } from 'node:url';

const installed = createRequire(new URL('../integration/package.json', import.meta.url));
const { compactVerify, importJWK } = await import(pathToFileURL(installed.resolve('jose')));

const { keys, tokens } = JSON.parse(await text(process.stdin));
const imported = new Map();

async function keyOf(name, algorithm) {
  const id = `${name} ${algorithm}`;
  if (!imported.has(id)) imported.set(id, await importJWK(keys[name], algorithm));
  return imported.get(id);
}

async function isAccepted([name, algorithm, token]) {
  try {
    await compactVerify(token, await keyOf(name, algorithm), { algorithms: [algorithm] });
    return true;
  } catch {
    return false;
  }
}

const opinions = [];
for (let begin = 0; begin < tokens.length; begin += 64) {
  opinions.push(...(await Promise.all(tokens.slice(begin, begin + 64).map(isAccepted))));
}
process.stdout.write(JSON.stringify(opinions));
