import { newSigningKey } from './signing-keys.ts';

// Prints a key set with one new private key. To rotate, put the printed key in front of those in use.
const key = await newSigningKey();
process.stdout.write(`${JSON.stringify({ keys: [key] }, null, 2)}\n`);
