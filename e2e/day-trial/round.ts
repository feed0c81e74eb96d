import type { ReconciliationReport } from '@repo/db';
import { createDb, openWallet } from '@repo/db';
import { execute } from '@repo/postgres/database';
import type { BookedPayment, DarajaSimulator, StatementStyle } from '@repo/simulator';
import { confirmationOf, createPayment, createRandom } from '@repo/simulator';
import { Agent, request } from 'undici';
import { checkLedger, digestOf, isPaidIn } from './check.ts';
import type { Check } from './check.ts';
import { runCommand } from './clerk.ts';
import type { Books, Clerk } from './clerk.ts';
import { followOrders, PAYBILL, playSteps, startMpesa, TILL } from './day.ts';
import type { Mpesa } from './day.ts';
import { FRONT, serviceEnvironment, startNodes, TRIAL_TOKEN } from './nodes.ts';
import type { Killing, Nodes } from './nodes.ts';
import { planDay } from './plan.ts';
import type { Customer, Step } from './plan.ts';
import { openShop } from './shop.ts';
import type { Shop } from './shop.ts';

export interface RoundOptions {
  /** A migrated database without wallets. */
  readonly databaseUrl: string;
  readonly payments: number;
  readonly customers: number;
  readonly seed: string;
  /** Callbacks that are lost, in 100. */
  readonly dropPercent: number;
  /** The first moment of the day, in East Africa Time. */
  readonly from: Date;
  readonly pauseMs: Killing['pauseMs'];
  /** The forms of the statement, in the order of their imports. */
  readonly styles: readonly StatementStyle[];
  readonly clerk: Clerk;
  readonly say: (what: string) => void;
}

/** What one day came to. */
export interface Round {
  readonly sent: Sent;
  readonly kills: number;
  readonly healed: Healed;
  readonly statements: { readonly files: number; readonly lines: number; readonly repeated: number };
  readonly check: Check;
  /** Breaks that the last reports show. */
  readonly open: number;
  readonly unexplained: number;
  /** Why books could not be closed. */
  readonly notClosed: readonly string[];
  readonly auditFaults: number;
  readonly digest: Readonly<Record<'books' | 'ledger' | 'reports', string>>;
}

/** What M-PESA did. */
interface Sent {
  readonly payments: number;
  readonly byMenu: number;
  readonly byPrompt: number;
  readonly prompts: number;
  readonly notPaid: number;
  readonly askedAgain: number;
  readonly askedTwice: number;
  readonly events: number;
  readonly dropped: number;
  readonly doubled: number;
  readonly held: number;
  /** Sendings that a killed process did not answer. */
  readonly repeated: number;
  /** Payments of which nobody was told. */
  readonly untold: number;
  readonly reversals: number;
  readonly sweeps: number;
}

interface Healed {
  readonly byPull: number;
  readonly byStatement: number;
  /** Callbacks that came when the payment was healed. */
  readonly tooLate: number;
}

const DAY_MS = 86_400_000;
/** Steps whose prompts are shown together. */
const CHUNK = 1_000;

/** Plays a day, heals what was lost, closes the books, and compares them with M-PESA's. */
export async function playRound(options: RoundOptions): Promise<Round> {
  const { databaseUrl, seed, from, say, clerk } = options;
  let nodes: Nodes | null = null;
  await using mpesa = await startMpesa({ ...options, route: (url) => nodes?.route(url) ?? url });
  const environment = serviceEnvironment({ databaseUrl, darajaUrl: mpesa.paybill.url });
  const customers = await openWallets(databaseUrl, options.customers);
  await using running = await startNodes([environment, environment]);
  nodes = running;
  await using shop = openShop(mpesa.paybill, running.route, FRONT);
  const steps = planDay({ ...options, customers });
  followOrders(mpesa.paybill, steps);
  await register(environment);
  const killing = running.beginKilling({ seed, pauseMs: options.pauseMs });
  const half = Math.floor(steps.length / 2);
  await playInChunks(mpesa, { steps: steps.slice(0, half), shop, say });
  say('half of the day is over: pulling what is missing');
  const byPull = await pull(environment);
  await playInChunks(mpesa, { steps: steps.slice(half), shop, say });
  say('waiting for the last events');
  await Promise.all([mpesa.paybill.settled(), mpesa.till.settled()]);
  const kills = await killing.end();
  mpesa.turnTo(new Date(from.getTime() + DAY_MS - 1_000));
  const done = await keepBooks(mpesa, options, running);
  say('auditing');
  const auditFaults = await clerk.audit();
  const { reports, statements, notClosed, tooLate } = done;
  return {
    sent: countSent(mpesa, shop.askedAgain()),
    kills,
    healed: { byPull, byStatement: await countStatementDeposits(databaseUrl), tooLate },
    statements,
    check: await checkLedger(databaseUrl, { books: books(mpesa), customers }),
    open: reports.reduce((sum, { breaks }) => sum + breaks.length, 0),
    unexplained: reports.reduce((sum, { totals }) => sum + totals.unexplained.lines, 0),
    notClosed,
    auditFaults,
    digest: await digestOf(databaseUrl, { books: books(mpesa), reports }),
  };
}

async function playInChunks(
  mpesa: Mpesa,
  {
    steps,
    shop,
    say,
  }: { readonly steps: readonly Step[]; readonly shop: Shop; readonly say: (what: string) => void },
): Promise<void> {
  for (let start = 0; start < steps.length; start += CHUNK) {
    say(`${String(start)} of ${String(steps.length)} steps of this half`);
    await playSteps(mpesa, steps.slice(start, start + CHUNK), shop);
  }
}

interface Kept extends Pick<Round, 'statements' | 'notClosed'> {
  readonly reports: readonly ReconciliationReport[];
  readonly tooLate: number;
}

/** Imports the statements of the day, heals, compares and closes: the paybill, and then the till. */
async function keepBooks(
  mpesa: Mpesa,
  { from, seed, styles, clerk, say }: RoundOptions,
  running: Nodes,
): Promise<Kept> {
  const to = new Date(from.getTime() + DAY_MS);
  const statements = { files: 0, lines: 0, repeated: 0 };
  const reports: ReconciliationReport[] = [];
  const notClosed: string[] = [];
  let tooLate = 0;
  for (const daraja of books(mpesa)) {
    const shortCode = daraja === mpesa.till ? TILL : PAYBILL;
    const period: Books = { shortCode, from, to };
    for (const [place, style] of styles.entries()) {
      say(`importing ${shortCode}, form ${style.form ?? 'A'} as ${style.file ?? 'csv'}`);
      const bytes = await daraja.statement(style);
      const extension = style.file === undefined ? 'csv' : style.file.slice(0, 4);
      const { lines, duplicateLines } = await clerk.importFile({ shortCode, extension, bytes });
      statements.files += 1;
      statements.lines += lines;
      statements.repeated += duplicateLines;
      if (place > 0) continue;
      say(`healing ${shortCode}`);
      await clerk.reconcile(period, { heal: true });
    }
    tooLate += await sendLate(daraja.book().payments.filter(isUntold), { seed, running });
    say(`comparing and closing ${shortCode}`);
    // Once more: a callback that came late may be of a payment that M-PESA has taken back meanwhile.
    reports.push(await clerk.reconcile(period, { heal: true }));
    const reason = await clerk.close(period);
    if (reason !== null) notClosed.push(`${shortCode}: ${reason}`);
  }
  return { statements, reports, notClosed, tooLate };
}

function books({ paybill, till }: Mpesa): readonly DarajaSimulator[] {
  return [paybill, till];
}

/** Opens wallets whose numbers are the same in every run. */
async function openWallets(url: string, count: number): Promise<[Customer, ...Customer[]]> {
  const rows = (await execute(
    url,
    `SELECT n::text AS wallet FROM generate_series(4410000000, ${String(4_410_000_000 + 20 * count)}) AS n
      WHERE core.has_check_digit(n::text) ORDER BY n LIMIT ${String(count)}`,
  )) as { wallet: string }[];
  const customers = rows.map(({ wallet }, place) => ({
    wallet,
    phone: `254711${String(place).padStart(6, '0')}`,
  }));
  const db = createDb({ url, maxConnections: 4 });
  try {
    for (let start = 0; start < customers.length; start += 16) {
      await Promise.all(
        customers
          .slice(start, start + 16)
          .map(({ wallet, phone }) => openWallet(db, { number: wallet, phone, holderName: 'Amina Otieno' })),
      );
    }
  } finally {
    await db.close();
  }
  const [first, ...others] = customers;
  if (first === undefined) throw new RangeError('a day needs a customer');
  return [first, ...others];
}

/** Tells M-PESA where the service is, and that it will ask for payments. */
async function register(environment: Readonly<Record<string, string>>): Promise<void> {
  const parameters = ['--pull', '254700000001'];
  const { code, said } = await runCommand(
    'apps/mpesa/src/commands/register-urls.ts',
    parameters,
    environment,
  );
  if (code !== 0) throw new Error(`mpesa:register-urls failed: ${said}`);
}

/** Asks M-PESA for what is missing, and has it credited. */
async function pull(environment: Readonly<Record<string, string>>): Promise<number> {
  const parameters = ['--pull', '--heal', '--format', 'json'];
  const { code, printed, said } = await runCommand(
    'apps/mpesa/src/commands/gaps.ts',
    parameters,
    environment,
  );
  if (code !== 0 && code !== 1) throw new Error(`mpesa:gaps failed: ${said}`);
  const { pulled } = JSON.parse(printed) as {
    readonly pulled: { readonly missing: readonly { readonly outcome: string | null }[] };
  };
  return pulled.missing.filter(({ outcome }) => outcome === 'credited' || outcome === 'suspense').length;
}

function isUntold(payment: BookedPayment): boolean {
  return isPaidIn(payment) && payment.events.every(({ copies }) => copies === 0);
}

async function countStatementDeposits(url: string): Promise<number> {
  const [row] = await execute(
    url,
    `SELECT count(*)::int AS count FROM services.mpesa_callbacks WHERE kind = 'STATEMENT' AND outcome IN ('CREDITED', 'SUSPENSE')`,
  );
  return Number(row?.['count']);
}

/** Of payments that were healed so many get their callback after all. */
const LATE_ONE_IN = 3;

async function sendLate(
  payments: readonly BookedPayment[],
  { seed, running }: { readonly seed: string; readonly running: Nodes },
): Promise<number> {
  const random = createRandom(`${seed} late`);
  const agent = new Agent();
  const late = payments.filter((_, place) => place % LATE_ONE_IN === 0);
  try {
    for (const { receipt, amount, paidAt, shortCode, account, phone, balance } of late) {
      const facts = { receipt, amount, paidAt, shortCode, account, phone, orgBalance: balance };
      const body = JSON.stringify(
        confirmationOf(createPayment(random, facts), account === '' ? 'till' : 'masked'),
      );
      const url = running.route(`${FRONT}/c2b/${TRIAL_TOKEN}/confirmation`);
      const headers = { 'content-type': 'application/json' };
      const answer = await request(url, { dispatcher: agent, method: 'POST', headers, body });
      await answer.body.dump();
      if (answer.statusCode !== 200)
        throw new Error(`a late callback was answered ${String(answer.statusCode)}`);
    }
  } finally {
    await agent.destroy();
  }
  return late.length;
}

function countSent(mpesa: Mpesa, askedAgain: number): Sent {
  const all = books(mpesa).flatMap((daraja) => daraja.book().payments);
  const prompts = mpesa.paybill.prompts();
  const failures = prompts.filter(({ receipts }) => receipts.length === 0);
  const events = [
    ...all.flatMap((payment) => payment.events),
    ...failures.flatMap((prompt) => prompt.events),
  ];
  const sendings = events.flatMap(({ answers }) => answers);
  const count = (kind: BookedPayment['kind']) => all.filter((payment) => payment.kind === kind).length;
  return {
    payments: all.filter(isPaidIn).length,
    byMenu: count('c2b'),
    byPrompt: count('stk'),
    prompts: prompts.length,
    notPaid: failures.length,
    askedAgain,
    askedTwice: prompts.length - new Set(prompts.map(({ request: { phone } }) => phone)).size,
    events: events.length,
    dropped: events.filter(({ copies }) => copies === 0).length,
    doubled: events.filter(({ copies }) => copies > 1).length,
    held: events.filter(({ isHeld }) => isHeld).length,
    repeated: sendings.filter((status) => status === null || status >= 300).length,
    untold: all.filter(isUntold).length,
    reversals: count('reversal'),
    sweeps: count('sweep'),
  };
}
