import { newSigningKey } from './signing-keys.ts';

// Prints a key set with one new private key. To rotate, put the printed key in front of those in use.
const keys = [await newSigningKey()];
process.stdout.write(`${JSON.stringify({ keys }, null, 2)}\n`);
