// Node 18 has WebCrypto but not yet as a global, which these libraries expect.
import { webcrypto } from 'node:crypto';

globalThis.crypto ??= webcrypto;
globalThis.CryptoKey ??= webcrypto.CryptoKey;
