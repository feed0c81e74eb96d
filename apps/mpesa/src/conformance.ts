import { Console } from 'node:console';
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { openTarget, sendRaw } from '@repo/simulator';
import { Client } from 'pg';

/** The last part of a path of callbacks. */
type Kind = 'confirmation' | 'validation' | 'callback';

/** Which route takes the messages of a category, and as what the inbox has them. */
const ROUTES: Readonly<Record<string, { readonly kind: Kind; readonly inbox: string }>> = {
  'c2b-confirmation': { kind: 'confirmation', inbox: 'C2B_CONFIRMATION' },
  'c2b-validation': { kind: 'validation', inbox: 'C2B_VALIDATION' },
  'stk-callback': { kind: 'callback', inbox: 'STK_CALLBACK' },
};

interface Sample {
  readonly name: string;
  readonly kind: Kind;
  readonly inbox: string;
  readonly raw: Buffer;
}

interface Row {
  readonly message: string;
  readonly kind: string;
  readonly answer: string;
  readonly inbox: string;
  readonly amount: string;
  readonly paidAt: string;
}

/**
 * Posts recorded C2B messages and callbacks of requests to phones, byte for byte, to a running service and shows what became of each.
 *
 *   node src/conformance.ts <folder> --database <url> [--url http://127.0.0.1:4002] [--token dev-token]
 *
 * The folder holds one JSON file a message, `{"category": "c2b-confirmation" | "c2b-validation" | "stk-callback", "raw": "..."}`;
 * others are passed over. The process ends with 1 when a message was lost (no inbox row has its bytes) or answered
 * with anything but 200.
 */
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    database: { type: 'string' },
    url: { type: 'string', default: 'http://127.0.0.1:4002' },
    token: { type: 'string', default: 'dev-token' },
  },
});
const [folder] = positionals;
if (folder === undefined || values.database === undefined) {
  process.stderr.write(
    'usage: node src/conformance.ts <folder> --database <url> [--url <url>] [--token <token>]\n',
  );
  process.exit(64);
}
process.exitCode = (await runConformance(folder, values.database)) ? 0 : 1;

async function runConformance(from: string, databaseUrl: string): Promise<boolean> {
  const client = new Client({ connectionString: databaseUrl });
  await client.connect();
  await using target = openTarget({ url: values.url, token: values.token });
  const rows: Row[] = [];
  try {
    for (const sample of await readSamples(from)) {
      const { status, body } = await sendRaw(target, sample.kind, sample.raw);
      rows.push({
        message: sample.name,
        kind: sample.kind,
        answer: `${String(status)} ${body}`,
        ...(await find(client, sample)),
      });
    }
  } finally {
    await client.end();
  }
  const terminal = new Console(process.stdout);
  terminal.table(rows);
  const bad = rows.filter((row) => row.inbox === 'LOST' || !row.answer.startsWith('200 '));
  terminal.log(`${String(rows.length)} messages sent, ${String(bad.length)} lost or refused`);
  return rows.length > 0 && bad.length === 0;
}

async function readSamples(from: string): Promise<Sample[]> {
  const names = (await readdir(from)).filter((name) => name.endsWith('.json')).toSorted();
  const samples = await Promise.all(
    names.map(async (name) => readSample(name, await readFile(join(from, name), 'utf8'))),
  );
  return samples.filter((sample) => sample !== null);
}

function readSample(name: string, text: string): Sample | null {
  const { category, raw } = JSON.parse(text) as { category?: unknown; raw?: unknown };
  const route = typeof category === 'string' ? ROUTES[category] : undefined;
  if (route === undefined || typeof raw !== 'string') return null;
  return { name: name.replace(/\.json$/, ''), ...route, raw: Buffer.from(raw) };
}

/** What the database says of a message: the newest inbox row with exactly its bytes, and the deposit of its receipt. */
async function find(
  client: Client,
  { inbox: kind, raw }: Sample,
): Promise<Pick<Row, 'inbox' | 'amount' | 'paidAt'>> {
  const { rows } = await client.query<{
    outcome: string;
    error: string | null;
    amount: string | null;
    paid_at: string | null;
  }>(
    `SELECT c.outcome, c.error, l.amount::text, to_char(l.paid_at, 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS paid_at
       FROM services.mpesa_callbacks c
       LEFT JOIN services.mpesa_logs l
         ON l.mpesa_receipt = c.receipt AND c.outcome IN ('CREDITED', 'SUSPENSE', 'DUPLICATE', 'CONFLICT')
      WHERE c.body = $1 AND c.kind = $2
      ORDER BY c.received_at DESC, c.id DESC
      LIMIT 1`,
    [raw, kind],
  );
  const row = rows[0];
  if (row === undefined) return { inbox: 'LOST', amount: '', paidAt: '' };
  const inbox = row.error === null ? row.outcome : `${row.outcome} (${row.error})`;
  return { inbox, amount: row.amount ?? '', paidAt: row.paid_at ?? '' };
}
