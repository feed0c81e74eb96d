import { gzipSync } from 'node:zlib';
import type { Random } from '@repo/simulator';

/** A body as it is sent, and what it says about itself. */
export interface Mutated {
  readonly body: Buffer;
  readonly headers: Readonly<Record<string, string>>;
}

/** Spoils a message that was right: the same chance gives the same bytes. */
type Mutation = (message: string, random: Random) => Buffer | Mutated;

/** What `parse` has left of a number that JSON.stringify cannot write: replaced in the text afterwards. */
const RAW = '@raw@';

/** Numbers as text, since a double cannot hold most of them. */
const NUMBERS = [
  '0',
  '-0',
  '-1',
  '1e400',
  '-1e400',
  '1e-400',
  '9007199254740993',
  '99999999999999999999999999999999.99',
  '0.1e1',
  '1E2',
  '1.005',
  '-150',
  '2147483648',
  '18446744073709551616',
  '1'.padEnd(5_000, '0'),
  `0.${'0'.repeat(4_000)}1`,
] as const;

const TEXTS = [
  '',
  ' ',
  '\0',
  'a\0b',
  '\uD800',
  '\u202E0.01',
  '\uFEFF',
  'NaN',
  'null',
  '１５０．００',
  'UKABC\u200B12345',
  'ΑΒΓ1234567',
  "'; DROP TABLE core.wallets; --",
  '%00%0d%0a',
  '../../etc/passwd',
  '\r\nX: y',
  '{"a":1}',
  '[]',
  '__proto__',
  'x'.repeat(300),
  'é'.repeat(1_000),
] as const;

/** The ways in which a message is spoilt, by their names. */
const MUTATIONS: Readonly<Record<string, Mutation>> = {
  'bytes changed': (message, random) => {
    const body = Buffer.from(message);
    for (let count = 1 + random.integer(8); count > 0; count -= 1)
      body[random.integer(body.length)] = random.integer(256);
    return body;
  },
  'bytes cut out or put in': (message, random) => {
    const body = Buffer.from(message);
    const at = random.integer(body.length);
    const put = Buffer.from(Array.from({ length: random.integer(20) }, () => random.integer(256)));
    return Buffer.concat([body.subarray(0, at), put, body.subarray(at + random.integer(40))]);
  },
  'a broken end': (message, random) => Buffer.from(message).subarray(0, random.integer(message.length)),
  'other types': (message, random) =>
    withValue(message, random, () =>
      random.pick<unknown>([null, true, false, 0, [], {}, [[]], [1, 'a'], { Value: 1 }, '', 'true']),
    ),
  'strange texts': (message, random) => withValue(message, random, () => random.pick<unknown>(TEXTS)),
  'huge numbers': (message, random) =>
    Buffer.from(
      withValue(message, random, () => RAW)
        .toString()
        .replace(`"${RAW}"`, random.pick(NUMBERS)),
    ),
  'deep nesting': (message, random) => {
    const depth = random.pick([3, 50, 1_000, 20_000]);
    const [open, close] = random.pick<readonly [string, string]>([
      ['[', ']'],
      ['{"a":', '}'],
    ]);
    const deep = `${open.repeat(depth)}1${random.pick([close.repeat(depth), ''])}`;
    return Buffer.from(
      random.pick([
        deep,
        withValue(message, random, () => RAW)
          .toString()
          .replace(`"${RAW}"`, () => deep),
      ]),
    );
  },
  'NUL and control characters': (message, random) => {
    const at = random.integer(message.length);
    const put = random.pick(['\0', '\\u0000', '\x01', '\x1b', '\x7f', '\b']);
    return Buffer.from(`${message.slice(0, at)}${put}${message.slice(at)}`);
  },
  'members twice': (message, random) => {
    const at = message.lastIndexOf('}');
    const name = random.pick([
      'TransID',
      'TransAmount',
      'BillRefNumber',
      'Body',
      'Result',
      '__proto__',
      'constructor',
    ]);
    return Buffer.from(`${message.slice(0, at)},"${name}":${random.pick(['"1.00"', 'null', '{}', '1'])}}`);
  },
  'another encoding': (message, random) =>
    random.pick<() => Buffer | Mutated>([
      () => Buffer.from(message, 'utf16le'),
      () => Buffer.from(message, 'utf16le').swap16(),
      () => Buffer.from(`\uFEFF${message}`),
      () => Buffer.from(`\uFEFF${message}`, 'utf16le'),
      () => Buffer.from(message.replaceAll('A', 'é'), 'latin1'),
      () => Buffer.from(message).map((byte) => (byte < 128 ? byte ^ 0x40 : byte)) as Buffer,
      () => ({ body: gzipSync(message), headers: { 'content-encoding': 'gzip' } }),
      () => ({ body: Buffer.from(message), headers: { 'content-encoding': 'br' } }),
    ])(),
  'another form': (message, random) =>
    random.pick<() => Mutated>([
      () => ({ body: Buffer.from(message), headers: { 'content-type': 'text/plain; charset=utf-16' } }),
      () => ({ body: Buffer.from(message), headers: { 'content-type': ';;' } }),
      () => ({
        body: Buffer.from(`data=${encodeURIComponent(message)}`),
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
      }),
      () => ({
        body: Buffer.from(`<?xml version="1.0"?><Message>${message}</Message>`),
        headers: { 'content-type': 'text/xml' },
      }),
      () => ({ body: Buffer.from(JSON.stringify(message)), headers: {} }),
      () => ({ body: Buffer.from(`[${message},${message}]`), headers: {} }),
    ])(),
  'any size': (message, random) => {
    const size = random.pick([0, 1, 2, 4_096, 65_535, 65_536, 65_537, 70_000, 1_114_113]);
    const filler = random.pick([' ', '{', '"', '\0', 'x', '\\']);
    return Buffer.from(`${message}${filler.repeat(size)}`).subarray(0, size);
  },
  'only noise': (_message, random) =>
    Buffer.from(Array.from({ length: random.integer(400) }, () => random.integer(256))),
  // Half of what a mutation does must be seen beside a message that is right.
  'nothing changed': (message) => Buffer.from(message),
};

export const MUTATION_NAMES = Object.keys(MUTATIONS);

/** Spoils a message in one way. */
export function mutate(name: string, message: string, random: Random): Mutated {
  const mutation = MUTATIONS[name];
  if (mutation === undefined) throw new RangeError(`there is no mutation ${name}`);
  const mutated = mutation(message, random);
  return Buffer.isBuffer(mutated) ? { body: mutated, headers: {} } : mutated;
}

/** The message with one of its values, at any depth, or a member that it did not have, made another. */
function withValue(message: string, random: Random, value: () => unknown): Buffer {
  const root = JSON.parse(message) as object;
  const places = placesOf(root);
  const [holder, key] = places[random.integer(places.length + 1)] ?? [root, 'Extra'];
  Reflect.set(holder, key, value());
  return Buffer.from(JSON.stringify(root));
}

function placesOf(holder: object): (readonly [object, string])[] {
  return Object.entries(holder).flatMap(([key, value]: [string, unknown]) => [
    [holder, key] as const,
    ...(typeof value === 'object' && value !== null ? placesOf(value) : []),
  ]);
}
