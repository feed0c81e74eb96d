import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { createDb } from '../../connection/db.ts';
import type { Db } from '../../connection/db.ts';
import { isDaftariError } from '../../errors.ts';
import { transfer } from '../../ledger/transfers.ts';

/** How long a process pays: so many transfers for each of its callers, or until the time is over. */
interface Effort {
  readonly transfers?: number;
  readonly seconds?: number;
}

/** What became of the transfers. */
export interface Tally {
  posted: number;
  /** Refused for want of money, which is part of the game. */
  refused: number;
  /** Errors that reached a caller, by code. */
  readonly failed: Record<string, number>;
}

const CALLERS = 4;

/** Pays neighbours in the ring, now this way, now that way, from several callers of one process. */
async function payAround(db: Db, ring: readonly string[], effort: Effort): Promise<Tally> {
  const tally: Tally = { posted: 0, refused: 0, failed: {} };
  const until =
    effort.seconds === undefined ? Number.POSITIVE_INFINITY : performance.now() + effort.seconds * 1_000;
  const count = effort.transfers ?? Number.POSITIVE_INFINITY;
  const callers = Array.from({ length: CALLERS }, async (_, caller) => {
    for (let i = 0; i < count && performance.now() < until; i += 1) {
      const place = Math.floor(Math.random() * ring.length);
      const [one, two] = [ring[place] ?? '', ring[(place + 1) % ring.length] ?? ''];
      const [from, to] = (i + caller) % 2 === 0 ? [one, two] : [two, one];
      try {
        await transfer(db, {
          from,
          to,
          amount: '1.00',
          idempotencyKey: `ring-${process.pid}-${caller}-${i}`,
        });
        tally.posted += 1;
      } catch (error) {
        const code = isDaftariError(error) ? error.code : String(error);
        if (code === 'insufficient_funds') tally.refused += 1;
        else tally.failed[code] = (tally.failed[code] ?? 0) + 1;
      }
    }
  });
  await Promise.all(callers);
  return tally;
}

/** Runs so many processes against one database, each asking one of its nodes, and adds up what they say. */
export async function runRing(
  urls: readonly string[],
  ring: readonly string[],
  { processes, ...effort }: Effort & { readonly processes: number },
): Promise<Tally> {
  const script = fileURLToPath(import.meta.url);
  const children = Array.from({ length: processes }, (_, place) => {
    const url = urls[place % urls.length];
    const child = spawn(process.execPath, [script], { stdio: ['pipe', 'pipe', 'inherit'] });
    child.stdin.end(JSON.stringify({ url, ring, effort }));
    return child;
  });
  const tallies = await Promise.all(children.map(readTally));
  return tallies.reduce((sum, one) => ({
    posted: sum.posted + one.posted,
    refused: sum.refused + one.refused,
    failed: Object.entries(one.failed).reduce(
      (all, [code, count]) => ({ ...all, [code]: (all[code] ?? 0) + count }),
      sum.failed,
    ),
  }));
}

async function readTally(child: ChildProcess): Promise<Tally> {
  let text = '';
  child.stdout?.setEncoding('utf8').on('data', (part: string) => {
    text += part;
  });
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`A process of the ring ended with ${String(code)}.`);
  return JSON.parse(text) as Tally;
}

async function main(): Promise<void> {
  let text = '';
  for await (const part of process.stdin.setEncoding('utf8')) text += String(part);
  const { url, ring, effort } = JSON.parse(text) as { url: string; ring: string[]; effort: Effort };
  const db = createDb({ url, maxConnections: CALLERS });
  const tally = await payAround(db, ring, effort);
  await db.close();
  process.stdout.write(JSON.stringify(tally));
}

/** `node ledger-ring.ts --url <database> --processes 16 --seconds 30` prints what became of it as JSON. */
async function command(): Promise<void> {
  const { values } = parseArgs({
    options: { url: { type: 'string' }, processes: { type: 'string' }, seconds: { type: 'string' } },
  });
  const { url } = values;
  if (url === undefined) return main();
  const { openRing, ringFaults } = await import('./ring-wallets.ts');
  const ring = await openRing(url);
  const seconds = Number(values.seconds ?? 30);
  const tally = await runRing([url], ring, { processes: Number(values.processes ?? 16), seconds });
  const report = { ...tally, perSecond: Math.round(tally.posted / seconds), ...(await ringFaults(url)) };
  process.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
}

if (import.meta.main) await command();
