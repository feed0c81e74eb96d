import { verificationHash } from '@repo/db';
import type { Client } from 'pg';
import type { Scene } from './scenes.ts';
import { renderTable } from './table.ts';
import type { WalletScene } from './wallet-scenes.ts';

// Everything here is read from the database by plain SQL, after the fact, and past the package under demonstration.

/** What the database says about one scene, and whether it is what M-PESA's side of the story demands. */
export interface Verdict {
  readonly cells: readonly string[];
  readonly isRight: boolean;
}

const HEADER = [
  'what happened at M-PESA',
  'sent',
  'acknowledged',
  'in the inbox',
  'credited',
  'KES',
  'to',
  '',
];

export async function judgeScenes(client: Client, scenes: readonly Scene[]): Promise<Verdict[]> {
  const verdicts: Verdict[] = [];
  for (const scene of scenes) verdicts.push(await judge(client, scene));
  return verdicts;
}

export function renderVerdicts(verdicts: readonly Verdict[]): string {
  return renderTable(
    HEADER,
    verdicts.map(({ cells, isRight }) => [...cells, isRight ? 'right' : 'WRONG']),
  );
}

async function judge(client: Client, scene: Scene): Promise<Verdict> {
  const receipts = [...scene.receipts];
  const { rows: moved } = await client.query<{
    postings: number;
    right: number;
    kes: string;
    wallets: string;
  }>(
    `SELECT count(*)::int AS postings,
            count(*) FILTER (WHERE amount = $2::numeric AND core.account_of(credit_wallet_id) = $3)::int AS right,
            coalesce(sum(amount), 0)::numeric(19,2)::text AS kes,
            coalesce(string_agg(DISTINCT core.account_of(credit_wallet_id), ', '), '-') AS wallets
       FROM core.transactions WHERE reference = ANY ($1)`,
    [receipts, scene.amount, scene.wallet],
  );
  const { rows: inbox } = await client.query<{ outcome: string; messages: number }>(
    `SELECT outcome, count(*)::int AS messages
       FROM services.mpesa_callbacks
      WHERE receipt = ANY ($1)
      GROUP BY outcome ORDER BY outcome`,
    [receipts],
  );
  const ledger = moved[0] ?? { postings: 0, right: 0, kes: '0.00', wallets: '-' };
  const found = Object.fromEntries(inbox.map(({ outcome, messages }) => [outcome, messages]));
  const postings = scene.wallet === null ? 0 : receipts.length;
  const isRight =
    scene.acknowledged === scene.sent &&
    ledger.postings === postings &&
    ledger.right === postings &&
    (scene.inbox === null || sameCounts(scene.inbox, found));
  const counts = inbox.map(({ outcome, messages }) => `${String(messages)} ${outcome}`).join(', ');
  const numbers = [
    String(scene.sent),
    String(scene.acknowledged),
    counts === '' ? '-' : counts,
    String(ledger.postings),
    ledger.kes,
  ];
  return { cells: [scene.title, ...numbers, ledger.wallets], isRight };
}

/** The same for the wallet service: its answer, and the transaction that the ledger holds because of it. */
export async function judgeWalletScenes(client: Client, scenes: readonly WalletScene[]): Promise<Verdict[]> {
  const verdicts: Verdict[] = [];
  for (const { title, answered, posted, isRight } of scenes) {
    const { rows } = await client.query<{ type: string; amount: string }>(
      `SELECT type, amount::text FROM core.transactions WHERE reference = $1`,
      [posted?.reference ?? ''],
    );
    const [row] = rows;
    const cells = [title, answered, row?.type ?? '-', row?.amount ?? '-'];
    verdicts.push({ cells, isRight: isRight && row?.amount === posted?.amount });
  }
  return verdicts;
}

export function renderWalletVerdicts(verdicts: readonly Verdict[]): string {
  return renderTable(
    ['what was asked of the wallet service', 'answer', 'in the ledger', 'KES', ''],
    verdicts.map(({ cells, isRight }) => [...cells, isRight ? 'right' : 'WRONG']),
  );
}

/** Laws that hold whatever happened. Returns a line for each, and whether all of them hold. */
export async function judgeLedger(
  client: Client,
): Promise<{ readonly lines: string[]; readonly isRight: boolean }> {
  const { rows: sums } = await client.query<{ sum: string; wrong: number; heldwrong: number }>(
    `SELECT sum(w.balance)::text AS sum,
            count(*) FILTER (WHERE w.balance <> coalesce(c.sum, 0) - coalesce(d.sum, 0))::int AS wrong,
            count(*) FILTER (WHERE w.held <> coalesce(h.sum, 0))::int AS heldwrong
       FROM core.wallets w
       LEFT JOIN (SELECT credit_wallet_id AS id, sum(amount) FROM core.transactions GROUP BY 1) c ON c.id = w.id
       LEFT JOIN (SELECT debit_wallet_id AS id, sum(amount) FROM core.transactions GROUP BY 1) d ON d.id = w.id
       LEFT JOIN (
         SELECT wallet_id AS id, sum(amount) FROM core.holds WHERE status = 'ACTIVE' GROUP BY 1
       ) h ON h.id = w.id`,
  );
  const { rows } = await client.query<{ reference: string; amount: string; ms: string; hash: string }>(
    `SELECT reference, amount::text, (extract(epoch FROM created_at) * 1000)::bigint::text AS ms,
            verification_hash AS hash
       FROM core.transactions`,
  );
  const genuine = rows.filter(
    ({ reference, amount, ms, hash }) =>
      verificationHash({ reference, amount, createdAt: new Date(Number(ms)) }) === hash,
  ).length;
  const { sum = '', wrong = -1, heldwrong: heldWrong = -1 } = sums[0] ?? {};
  return {
    lines: [
      `sum of all balances: ${sum}`,
      `wallets whose held money is not the sum of their active holds: ${String(heldWrong)}`,
      `wallets whose balance is not the sum of their transactions: ${String(wrong)}`,
      `transactions whose verification hash is right: ${String(genuine)} of ${String(rows.length)}`,
    ],
    isRight: sum === '0.00' && wrong === 0 && heldWrong === 0 && genuine === rows.length,
  };
}

export async function renderWallets(client: Client): Promise<string> {
  const { rows } = await client.query<{ id: string; holder_name: string; balance: string; version: string }>(
    // An account of the house is one to people, in however many wallets it keeps its money.
    `SELECT core.account_of(id) AS id, min(holder_name) AS holder_name, sum(balance)::text AS balance,
            sum(version)::text AS version
       FROM core.wallets GROUP BY 1, kind ORDER BY kind, 1`,
  );
  return renderTable(
    ['wallet', 'holder', 'balance KES', 'postings'],
    rows.map((row) => [row.id, row.holder_name, row.balance, row.version]),
  );
}

function sameCounts(
  wanted: Readonly<Record<string, number>>,
  found: Readonly<Record<string, number>>,
): boolean {
  const keys = new Set([...Object.keys(wanted), ...Object.keys(found)]);
  return [...keys].every((key) => wanted[key] === found[key]);
}
