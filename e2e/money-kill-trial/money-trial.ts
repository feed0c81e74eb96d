import { auditLedger, createDb, openWallet } from '@repo/db';
import type { Db } from '@repo/db';
import { execute } from '@repo/postgres/database';
import { createRandom } from '@repo/simulator';
import type { BookedEvent } from '@repo/simulator';
import { until } from '@repo/testing/until';
import { centsOf } from '../day-trial/check.ts';
import { followOrders, startMpesa } from '../day-trial/day.ts';
import type { Mpesa } from '../day-trial/day.ts';
import { FRONT, serviceEnvironment, startNodes, TRIAL_KEY } from '../day-trial/nodes.ts';
import type { Nodes } from '../day-trial/nodes.ts';
import type { PromptStep } from '../day-trial/plan.ts';
import { openCaller, openShop } from '../day-trial/shop.ts';

export interface MoneyTrialOptions {
  /** Of one server, or of each node of a distributed database, the coordinator first. The services ask the last of them. */
  readonly urls: readonly [string, ...string[]];
  readonly seed: string;
  /** How many deposits, transfers and payments are made, each. */
  readonly count: number;
  /** Between two kills of a process, at least and at most. */
  readonly pauseMs: readonly [number, number];
  /** What befalls the database once a third of the transfers are done; they go on until it is over. */
  readonly disturb?: () => Promise<void>;
}

export interface MoneyTrialReport {
  readonly kills: number;
  /** What is not as M-PESA's book and the answers to callers say; empty when all is right. */
  readonly faults: readonly string[];
}

/** Callers of each kind. */
const CALLERS = 6;
const WALLETS = 6;

/**
 * Deposits, transfers and payments go on at the same time while processes of both services are killed again and again. Whoever
 * gets no answer asks again. Then the ledger is compared with M-PESA's book and with what callers were told.
 */
export async function runMoneyTrial(options: MoneyTrialOptions): Promise<MoneyTrialReport> {
  const { urls, seed } = options;
  const [url] = urls;
  const db = createDb({ url, maxConnections: 4 });
  let services: Nodes | null = null;
  try {
    await using mpesa = await startMpesa({
      seed,
      from: new Date('2026-11-26T21:00:00.000Z'),
      dropPercent: 0,
      route: (target) => services?.route(target) ?? target,
    });
    const wallets = await openWallets(db);
    const [last = url, other = last] = urls.toReversed();
    const darajaUrl = mpesa.paybill.url;
    await using mpesaService = await startNodes([
      serviceEnvironment({ databaseUrl: last, darajaUrl }),
      serviceEnvironment({ databaseUrl: other, darajaUrl }),
    ]);
    services = mpesaService;
    await using walletService = await startNodes(
      [walletEnvironment(last), walletEnvironment(other)],
      'apps/wallet/src/main.ts',
    );
    const { pauseMs } = options;
    const killings = [
      mpesaService.beginKilling({ seed, pauseMs }),
      walletService.beginKilling({ seed: `${seed} wallet`, pauseMs }),
    ];
    const transfers: Transfers = { moved: new Map(), done: 0 };
    await Promise.all([
      makeDeposits(mpesa, wallets, options),
      makePayments(mpesa, mpesaService, { wallets, options }),
      makeTransfers(walletService, { wallets, options, transfers }),
    ]);
    await Promise.all([mpesa.paybill.settled(), mpesa.till.settled()]);
    const kills = (await Promise.all(killings.map((killing) => killing.end()))).reduce(
      (sum, each) => sum + each,
      0,
    );
    await until('every payment to be settled', () => countOf(url, OPEN_PAYMENTS), {
      isFit: (open) => open === 0,
    });
    for (const node of urls) {
      await until('what was prepared to be finished by itself', () => countOf(node, PREPARED), {
        isFit: (count) => count === 0,
      });
    }
    return { kills, faults: await faultsOf(db, { url, mpesa, wallets, transfers, options }) };
  } finally {
    await db.close();
  }
}

function walletEnvironment(databaseUrl: string): Record<string, string> {
  return { DATABASE_URL: databaseUrl, DATABASE_CONNECTIONS: '6', API_KEY: TRIAL_KEY, WALLET_PORT: '0' };
}

async function openWallets(db: Db): Promise<Some<string>> {
  const open = async () =>
    (await openWallet(db, { holderName: 'Amina Otieno', phone: '254711000001' })).number;
  const first = await open();
  const others: string[] = [];
  for (let count = 1; count < WALLETS; count += 1) others.push(await open());
  return [first, ...others];
}

type Some<T> = readonly [T, ...T[]];

/** Does something so many times, and on while `goesOn`, by several callers at once. */
async function repeat(
  count: number,
  work: (place: number) => Promise<void>,
  goesOn = () => false,
): Promise<void> {
  let next = 0;
  const callers = Array.from({ length: CALLERS }, async () => {
    for (let place = next++; place < count || goesOn(); place = next++) await work(place);
  });
  await Promise.all(callers);
}

async function makeDeposits(
  { paybill }: Mpesa,
  wallets: Some<string>,
  { seed, count }: MoneyTrialOptions,
): Promise<void> {
  const random = createRandom(`${seed} deposits`);
  await repeat(count, async () => {
    const account = random.pick(wallets);
    await paybill.pay({ account, amount: `${String(1 + random.integer(900))}.00`, shape: 'plain' });
  });
}

async function makePayments(
  { paybill }: Mpesa,
  service: Nodes,
  {
    wallets,
    options: { seed, count },
  }: { readonly wallets: Some<string>; readonly options: MoneyTrialOptions },
): Promise<void> {
  const random = createRandom(`${seed} payments`);
  const orders = Array.from({ length: count }, (_, place): PromptStep & { readonly at: Date } => ({
    at: new Date(0),
    kind: 'prompt',
    id: `order-${String(place)}`,
    wallet: random.pick(wallets),
    amount: `${String(1 + random.integer(900))}.00`,
    phone: `254712${String(place).padStart(6, '0')}`,
    outcome: 'paid',
    behaviour: {},
    fault: null,
  }));
  followOrders(paybill, orders);
  await using shop = openShop(paybill, service.route, FRONT);
  for (let start = 0; start < orders.length; start += CALLERS) {
    const some = orders.slice(start, start + CALLERS);
    await shop.ask(some);
    await Promise.all(some.map(({ phone }) => paybill.answerPrompt(phone, 'paid')));
  }
}

interface Transfers {
  /** What transfers gave each wallet or took from it, in cents, by the answers. */
  readonly moved: Map<string, bigint>;
  done: number;
}

async function makeTransfers(
  service: Nodes,
  {
    wallets,
    options: { seed, count, disturb },
    transfers,
  }: { readonly wallets: Some<string>; readonly options: MoneyTrialOptions; readonly transfers: Transfers },
): Promise<void> {
  const random = createRandom(`${seed} transfers`);
  const caller = openCaller(service.route, FRONT);
  const { moved } = transfers;
  let isDisturbing = false;
  let failure: unknown = null;
  const disturbOnce = async (): Promise<void> => {
    isDisturbing = true;
    try {
      await disturb?.();
    } catch (error) {
      failure = error;
    } finally {
      isDisturbing = false;
    }
  };
  try {
    const move = async (place: number) => {
      const from = random.pick(wallets);
      const to = random.pick(wallets.filter((wallet) => wallet !== from) as [string, ...string[]]);
      const cents = BigInt(1 + random.integer(99));
      const body = JSON.stringify({ from, to, amount: `0.${String(cents).padStart(2, '0')}` });
      // A wallet that has nothing yet is refused, and has something soon.
      for (let attempt = 0; ; attempt += 1) {
        const key = `${seed}-${String(place)}-${String(attempt)}`;
        const isDone = await caller.call('/transfers', { body, key }).then(() => true, isRefused);
        if (isDone) break;
      }
      moved.set(from, (moved.get(from) ?? 0n) - cents);
      moved.set(to, (moved.get(to) ?? 0n) + cents);
      transfers.done += 1;
      // Its failure is looked at in the end.
      if (transfers.done === Math.ceil(count / 3)) void disturbOnce();
    };
    await repeat(count, move, () => isDisturbing);
    if (failure !== null) throw failure;
  } finally {
    await caller.close();
  }
}

function isRefused(error: unknown): false {
  if (error instanceof TypeError && error.message.includes('insufficient_funds')) return false;
  throw error;
}

/** What M-PESA heard of a payment. */
function toldOf(events: readonly BookedEvent[]): string {
  const answers = events.flatMap((event) => event.answers);
  const heard = [...new Set(answers.map((status) => String(status)))].join(', ');
  const last = events.map(({ said }) => said).at(-1) ?? '';
  return `; ${String(answers.length)} sendings were answered ${heard}: ${last}`;
}

interface Judged {
  readonly url: string;
  readonly mpesa: Mpesa;
  readonly wallets: Some<string>;
  readonly transfers: Transfers;
  readonly options: MoneyTrialOptions;
}

async function faultsOf(db: Db, { url, mpesa, wallets, transfers, options }: Judged): Promise<string[]> {
  const { payments } = mpesa.paybill.book();
  const balances = new Map(
    (await execute(url, `SELECT id, balance::text AS balance FROM core.wallets WHERE kind = 'CUSTOMER'`)).map(
      (row) => [String(row['id']), centsOf(String(row['balance']))],
    ),
  );
  const due = (wallet: string) =>
    payments.reduce((sum, { account, amount }) => sum + (account === wallet ? centsOf(amount) : 0n), 0n) +
    (transfers.moved.get(wallet) ?? 0n);
  const recorded = await execute(
    url,
    `SELECT mpesa_receipt AS receipt, count(*)::int AS count FROM services.mpesa_logs GROUP BY 1`,
  );
  const once = new Set(recorded.filter(({ count }) => count === 1).map(({ receipt }) => receipt));
  const { checks } = await auditLedger(db);
  const moved = await countOf(
    url,
    `SELECT count(*)::int AS n FROM core.transactions WHERE type = 'TRANSFER'`,
  );
  const paid = await countOf(
    url,
    `SELECT count(*)::int AS n FROM services.mpesa_payments WHERE status = 'PAID'`,
  );
  const kept = await countOf(
    url,
    `SELECT count(*)::int AS n FROM services.mpesa_callbacks WHERE outcome IN ('FAILED', 'QUARANTINED', 'CONFLICT')`,
  );
  const flagged = await countOf(
    url,
    `SELECT count(*)::int AS n FROM services.mpesa_payments WHERE is_flagged`,
  );
  return [
    ...wallets
      .filter((wallet) => balances.get(wallet) !== due(wallet))
      .map(() => 'a wallet has another balance'),
    ...payments
      .filter(({ receipt }) => !once.has(receipt))
      .map(({ events }) => `a payment is not recorded once${toldOf(events)}`),
    ...(recorded.length === payments.length ? [] : ['deposits are recorded that nobody paid']),
    ...(moved === transfers.done
      ? []
      : [`${String(transfers.done)} transfers were answered, and ${String(moved)} made`]),
    ...(paid === options.count ? [] : [`of ${String(options.count)} payments ${String(paid)} are settled`]),
    ...(kept === 0 ? [] : [`${String(kept)} callbacks wait for people`]),
    ...(flagged === 0 ? [] : [`${String(flagged)} payments are flagged`]),
    ...checks.flatMap(({ name, findings }) => findings.map(({ what }) => `${name}: ${what}`)),
  ];
}

/** Transactions of a node that are prepared, acknowledged perhaps, and wait for the node that began them. */
const PREPARED = 'SELECT count(*)::int AS n FROM pg_prepared_xacts';

const OPEN_PAYMENTS = `
  SELECT count(*)::int AS n FROM services.mpesa_payments WHERE status IN ('REQUESTED', 'PENDING') AND checkout_request_id IS NOT NULL`;

async function countOf(url: string, sql: string): Promise<number> {
  const [row] = await execute(url, sql);
  return Number(row?.['n']);
}
