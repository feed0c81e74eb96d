import {
  assignSuspense,
  breakHistory,
  changeBreaks,
  claimPayments,
  claimSms,
  closePeriod,
  createDb,
  createDepositIntake,
  createSmsSettler,
  findPayment,
  findSms,
  importStatement,
  listBreaks,
  listPeriods,
  notePaymentAnswer,
  openWallet,
  queueSms,
  reconcile,
  recordDeliveryReport,
  recordDeposits,
  requestPayment,
  reverseTransaction,
  storeCallback,
  transfer,
} from '@repo/db';
import type { ClaimedSms, Db, Deposit, Reconciliation } from '@repo/db';
import { hasCitus, startCitus } from '@repo/postgres/citus';
import type { CitusCluster } from '@repo/postgres/citus';
import { execute } from '@repo/postgres/database';
import { createTestDatabase } from '@repo/postgres/testing';
import { statementFile } from '@repo/statements/testing/statement-file';
import type { BookEntry } from '@repo/statements/testing/statement-file';
import { temporaryFile } from '@repo/testing/temporary-file';
import { until } from '@repo/testing/until';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { depositTo, expectAlike, openPair } from '../fixtures/both-forms.ts';
import { applyPending, numberOf } from '../fixtures/databases.ts';
import { faultsOf } from '../fixtures/faults.ts';
import { DELIVERED, expectMessagesAlike } from '../fixtures/messages-in-both-forms.ts';
import { expectMoneyAlike } from '../fixtures/money-in-both-forms.ts';
import { codeOf, findingsOf, moveMoney, openWalletsApart } from '../fixtures/over-nodes.ts';
import { expectPaymentsAlike } from '../fixtures/payments-in-both-forms.ts';
import { expectStatementsAlike } from '../fixtures/statements-in-both-forms.ts';
import { runCommandLine } from '../fixtures/run-command.ts';
import { repository } from '../fixtures/temporary-project.ts';

let cluster: CitusCluster;
let dbs: Db[] = [];
/** Recorded before the database was distributed. */
const early: Deposit = depositTo('9000000000');

async function recordEarly(url: string): Promise<void> {
  const db = createDb({ url, maxConnections: 1 });
  await openWallet(db, { number: early.account, holderName: 'Amina Otieno', phone: '254700000021' });
  await recordDeposits(db, [early]);
  await db.close();
}

/** Of the coordinator and of each worker. */
const nodes = () => [cluster.url, ...cluster.workerUrls];

const walletsApart = () => openWalletsApart(dbs[0] as Db, cluster.url);

/** Claims until nothing is due, a few at a time. */
async function claimAll(db: Db, sender: string): Promise<ClaimedSms[]> {
  const claimed: ClaimedSms[] = [];
  for (;;) {
    const request = { sender, provider: 'trial', limit: 20, leaseMs: 3_600_000, maxAgeMs: 86_400_000 };
    const { messages } = await claimSms(db, request);
    if (messages.length === 0) return claimed;
    claimed.push(...messages);
  }
}

async function settleAll(db: Db, messages: readonly ClaimedSms[], providerMessageId?: string): Promise<void> {
  const settler = createSmsSettler(db);
  await Promise.all(
    messages.map(({ id, attempt }) =>
      settler.settle({
        id,
        attempt,
        outcome: 'accepted',
        providerMessageId: providerMessageId ?? `AT-${id}`,
      }),
    ),
  );
  await settler.close();
}

/** Takes what other tests left out of the queue. */
async function sendWhatWaits(): Promise<void> {
  await settleAll(dbs[0] as Db, await claimAll(dbs[0] as Db, 'before'));
}

const BALANCES = 'SELECT sum(balance) AS n FROM core.wallets';

/** A day of M-PESA's books. */
const BOOKS = { from: new Date('2026-02-28T21:00:00Z'), to: new Date('2026-03-01T21:00:00Z') };

const sinceToday = () => ({ from: new Date(Date.now() - 3_600_000), to: new Date(Date.now() + 3_600_000) });

/** A line of KES 10.00 that came in some minutes after noon. */
function lineOf(account: string, minute: number): BookEntry {
  const { receipt } = depositTo(account);
  return { receipt, at: Date.UTC(2026, 2, 1, 9, minute), what: 'payment', cents: 10_00n, account };
}

async function importLines(db: Db, shortCode: string, lines: readonly BookEntry[]): Promise<void> {
  await using file = await temporaryFile(await statementFile(lines, { shortCode }));
  await importStatement(db, file.path, { shortCode });
}

/** Posts the lines of a short code, each in a transaction of its own, until it is ended. */
function postOneByOne(db: Db, shortCode: string) {
  const signal = { isOver: false, count: 0 };
  const text = `SELECT posted FROM services.post_mpesa_lines($1::text, $2::timestamp, $3::timestamp, NULL, NULL, 1)`;
  const values = [shortCode, ...[BOOKS.from, BOOKS.to].map((time) => time.toISOString().slice(0, -1))];
  const posting = (async () => {
    while (!signal.isOver) {
      await db.run({ name: 'test_post_a_line', text }, values);
      signal.count += 1;
    }
  })();
  const end = async () => {
    signal.isOver = true;
    await posting;
  };
  return { count: () => signal.count, [Symbol.asyncDispose]: end };
}

describe.skipIf(!hasCitus)('a database on a coordinator and two workers', { timeout: 300_000 }, () => {
  beforeAll(async () => {
    cluster = await startCitus({ workers: 2 });
    await applyPending(cluster.url, repository.migrations);
    // It has rows already, which move.
    await recordEarly(cluster.url);
    process.env['CITUS_WORKERS'] = cluster.workers.map(({ port }) => `127.0.0.1:${String(port)}`).join();
    const { exitCode, stdout, stderr } = await runCommandLine('distribute', cluster.url);
    expect(exitCode, stderr).toBe(0);
    expect(stdout).toMatch(/8 of 16 lanes\n.*8 of 16 lanes/);
    dbs = nodes().map((url) => createDb({ url, maxConnections: 3, statementTimeoutMs: 120_000 }));
  }, 300_000);

  afterAll(async () => {
    await Promise.all(dbs.map((db) => db.close()));
    await cluster.stop();
  });

  it('is what db:verify expects, and is not distributed twice', async () => {
    expect(await faultsOf(cluster.url)).toEqual([]);
    const { exitCode, stdout } = await runCommandLine('distribute', cluster.url);
    expect(exitCode).toBe(0);
    expect(stdout).toContain('It is distributed already');
    expect(await faultsOf(cluster.url)).toEqual([]);
  });

  it('records, moves and reads whatever is sent as one machine does, whichever node is asked', async () => {
    await using plain = await createTestDatabase();
    await recordEarly(plain.url);
    await using pair = await openPair(plain.url, cluster.url, cluster.workerUrls[0]);
    await expectAlike(pair, 8);
    await expectMoneyAlike(pair, 8);
    await expectPaymentsAlike(pair, 8);
    await expectMessagesAlike(pair, 8);
    await expectStatementsAlike(pair, 5);
  });

  it('gives each message to one sender, whichever nodes senders ask at the same moment', async () => {
    await sendWhatWaits();
    await execute(
      cluster.url,
      `INSERT INTO services.sms_logs (recipient, message, lane)
       SELECT '2547' || lpad(n::text, 8, '0'), 'x', n % 16 FROM generate_series(1, 300) AS n`,
    );
    const claimed = await Promise.all([...dbs, ...dbs].map((db, sender) => claimAll(db, String(sender))));
    const ids = claimed.flat().map(({ id }) => id);
    expect(ids.length).toBe(300);
    expect(new Set(ids).size).toBe(300);
    expect(claimed.filter((each) => each.length > 0).length).toBeGreaterThan(1);
    await settleAll(dbs[0] as Db, claimed.flat());
  });

  it('joins a report to its message, whichever of report and answer comes first on two nodes', async () => {
    await sendWhatWaits();
    for (let round = 0; round < 100; round += 1) {
      const [asked, other] = [dbs[round % 3] as Db, dbs[(round + 1) % 3] as Db];
      const { id } = await queueSms(asked, { recipient: '254700000022', message: `round ${String(round)}` });
      const [message] = await claimAll(asked, 'one');
      const providerMessageId = `AT-${id}`;
      const report = { ...DELIVERED, providerMessageId };
      await Promise.all([
        settleAll(asked, message === undefined ? [] : [message], providerMessageId),
        recordDeliveryReport(other, report),
      ]);
      expect(await findSms(asked, id)).toMatchObject({
        phase: 'DONE',
        status: 'SENT',
        deliveryState: 'delivered',
      });
    }
  });

  it('credits a receipt once that names wallets of two workers, on two nodes at the same moment', async () => {
    const [one, two] = await walletsApart();
    for (let round = 0; round < 10; round += 1) {
      const { receipt } = depositTo(one);
      const answers = await Promise.all([
        recordDeposits(dbs[1] as Db, [depositTo(one, receipt), depositTo(two)]),
        recordDeposits(dbs[2] as Db, [depositTo(two, receipt), depositTo(one)]),
      ]);
      expect(new Set(answers.map(([first]) => first?.outcome))).toEqual(new Set(['credited', 'duplicate']));
    }
    const sum = `SELECT sum(balance) AS n FROM core.wallets WHERE id IN ('${one}', '${two}')`;
    expect(await numberOf(cluster.url, sum)).toBe(300);
    expect(await numberOf(cluster.url, BALANCES)).toBe(0);
  });

  it('credits no second time what was recorded before, for whichever account it comes again', async () => {
    for (const account of [...(await walletsApart()), early.account]) {
      const [result] = await recordDeposits(dbs[1] as Db, [{ ...early, account }]);
      expect(result).toMatchObject({ outcome: 'duplicate', wallet: early.account, balanceAfter: '10.00' });
    }
  });

  it('keeps what is no payment, on every node', async () => {
    const kept = `SELECT count(*) AS n FROM services.mpesa_callbacks WHERE outcome = 'QUARANTINED'`;
    const before = await numberOf(cluster.url, kept);
    for (const db of dbs) {
      const callback = { kind: 'C2B_CONFIRMATION', source: null, body: Buffer.from('not JSON') } as const;
      await storeCallback(db, { ...callback, outcome: 'QUARANTINED', error: 'not JSON', receipt: null });
    }
    expect(await numberOf(cluster.url, kept)).toBe(before + dbs.length);
  });

  it('refuses what goes past its functions, on every node', async () => {
    for (const url of nodes()) {
      await expect(execute(url, `UPDATE core.wallets SET balance = 1`)).rejects.toMatchObject({
        code: 'DF003',
      });
      for (const table of ['core.transactions', 'core.requests', 'services.sms_logs', 'services.sms_spend']) {
        await expect(execute(url, `DELETE FROM ${table}`)).rejects.toMatchObject({ code: 'DF001' });
        await expect(execute(url, `TRUNCATE ${table}`)).rejects.toMatchObject({ code: 'DF001' });
      }
    }
  });

  it('does one of what three nodes are asked at the same moment, and takes a key once', async () => {
    const [one, two] = await walletsApart();
    await recordDeposits(dbs[0] as Db, [depositTo(one), depositTo(two), depositTo(one), depositTo(two)]);
    for (let round = 0; round < 12; round += 1) {
      const suspense = depositTo('nobody');
      await recordDeposits(dbs[round % 3] as Db, [suspense]);
      const { receipt } = suspense;
      const key = (name: string) => ({ idempotencyKey: `race-${String(round)}-${name}` });
      const asked = [
        (db: Db) => assignSuspense(db, { receipt, wallet: one, ...key('one') }),
        (db: Db) => assignSuspense(db, { receipt, wallet: two, ...key('two') }),
        (db: Db) => reverseTransaction(db, { reference: receipt, ...key('back') }),
      ];
      const told = await Promise.all(asked.map((ask, place) => codeOf(ask(dbs[(place + round) % 3] as Db))));
      expect(told.filter((code) => code === 'done')).toHaveLength(1);

      // One key for three requests: one of them has it.
      const pairs = [[one, two, '1.00'] as const, [two, one, '1.00'] as const, [one, two, '0.50'] as const];
      const paid = await Promise.all(
        pairs.map(([from, to, amount], place) =>
          codeOf(transfer(dbs[(place + round) % 3] as Db, { from, to, amount, ...key('paid') })),
        ),
      );
      expect(paid.toSorted()).toEqual(['done', 'key_reused', 'key_reused']);
    }
    expect(await findingsOf(dbs[2] as Db)).toEqual([]);
  });

  it('settles a payment by one of two deposits of a batch, whichever node is asked', async () => {
    const [wallet] = await walletsApart();
    for (const [place, db] of dbs.entries()) {
      const { payment } = await requestPayment(db, {
        wallet,
        amount: '10.00',
        phone: '0700000020',
        reference: `BATCH ${String(place)}`,
        shortCode: '600123',
        idempotencyKey: `batch-${String(place)}`,
        leaseMs: 600_000,
      });
      const payer = { phone: payment.phone, phoneHash: null, name: null };
      const both = [depositTo(payment.reference), depositTo(payment.reference)];
      await recordDeposits(
        db,
        both.map((deposit) => ({ ...deposit, payer, paidAt: new Date() })),
      );
      const settled = { status: 'PAID', receipt: both[0]?.receipt, isFlagged: false };
      expect(await findPayment(db, payment.id)).toMatchObject(settled);
    }
  });

  it('gives each payment that is due to one of those who ask for them on three nodes', async () => {
    const [wallet] = await walletsApart();
    const count = 24;
    const own = new Set<string>();
    for (let place = 0; place < count; place += 1) {
      const name = `due-${String(place)}`;
      const db = dbs[place % 3] as Db;
      const { payment } = await requestPayment(db, {
        wallet,
        amount: '10.00',
        phone: '0700000020',
        shortCode: '600100',
        idempotencyKey: name,
        leaseMs: 600_000,
      });
      own.add(payment.id);
      const answer = {
        kind: 'ACCEPTED',
        merchantRequestId: null,
        checkoutRequestId: name,
        dueMs: 0,
      } as const;
      await notePaymentAnswer(db, { id: payment.id, attempt: 1, answer });
    }
    const claimed: string[] = [];
    await until(
      'all to be claimed',
      async () => {
        const tasks = await Promise.all(dbs.map((db) => claimPayments(db, { limit: 5, leaseMs: 600_000 })));
        // The law of payments leaves some that are due as well.
        claimed.push(...tasks.flat().flatMap(({ id }) => (own.has(id) ? [id] : [])));
        return numberOf(
          cluster.url,
          `SELECT count(*) AS n FROM services.mpesa_payments WHERE due_at <= now() AT TIME ZONE 'UTC'`,
        );
      },
      { isFit: (left) => left === 0 },
    );
    expect(claimed).toHaveLength(count);
    expect(new Set(claimed)).toEqual(own);
  });

  it('changes a break on any node, and of two who approve at the same time one does', async () => {
    await execute(
      cluster.url,
      `BEGIN; SET LOCAL daftari.door = 'open';
       INSERT INTO services.mpesa_breaks (short_code, subject_id, side, state, reference, kind, amount, happened_at, due_at)
       SELECT '600100', gen_random_uuid(), 'statement', 'missing', 'R' || n, 'payment', 100, now(), now() FROM generate_series(1, 8) AS n;
       COMMIT`,
    );
    const steps = [
      { action: 'assign', by: 'Akinyi', assignee: 'Baraka' },
      { action: 'propose', by: 'Baraka', reason: 'timing' },
    ] as const;
    // Those of other tests have a history already.
    const breaks = await listBreaks(dbs[1] as Db, { shortCode: '600100' });
    expect(breaks).toHaveLength(8);
    for (const { id } of breaks) {
      for (const [place, step] of steps.entries()) {
        expect(await changeBreaks(dbs[place + 1] as Db, { ...step, breaks: [{ id }] })).toMatchObject({
          changed: 1,
        });
      }
      const approve = { action: 'approve', breaks: [{ id }] } as const;
      const answers = await Promise.all([
        changeBreaks(dbs[1] as Db, { ...approve, by: 'Akinyi' }),
        changeBreaks(dbs[2] as Db, { ...approve, by: 'Chege' }),
      ]);
      expect(new Set(answers.map(({ changed }) => changed))).toEqual(new Set([0, 1]));
      expect((await breakHistory(dbs[0] as Db, id)).map(({ version }) => version)).toEqual([2, 3, 4]);
    }
  });

  it('shows its audit one moment, while money moves between the workers', async () => {
    const wallets = await walletsApart();
    await recordDeposits(
      dbs[0] as Db,
      [...wallets, ...wallets, ...wallets].map((number) => depositTo(number)),
    );
    await using moves = moveMoney(wallets, dbs);
    await until('money moves', () => moves.done.length > 10);
    for (const db of dbs) expect(await findingsOf(db)).toEqual([]);
    const then = moves.done.length;
    await until('money goes on moving', () => moves.done.length > then + 10);
    await moves.end();
    expect(moves.failed).toEqual([]);
  });

  it('credits, posts and closes once what three nodes reconcile at the same moment', async () => {
    const [one, two] = await walletsApart();
    for (let round = 0; round < 3; round += 1) {
      const shortCode = String(800_001 + round);
      const paid = Array.from({ length: 6 }, (_, place) => lineOf(place % 2 === 0 ? one : two, place));
      // The first one is known, and M-PESA takes it back.
      const known = { ...depositTo(one, paid[0]?.receipt), shortCode };
      await recordDeposits(dbs[1] as Db, [known]);
      await importLines(dbs[round % 3] as Db, shortCode, [
        ...paid,
        ...paid.map((line) => ({ ...line, what: 'charge' as const, cents: 1_00n })),
        { ...lineOf(one, 20), what: 'reversal' as const, undoes: known.receipt },
      ]);
      const done = await Promise.all(
        dbs.map((db) => reconcile(db, { shortCode, ...BOOKS, heal: true, runBy: 'a person' })),
      );
      const sum = (count: (each: Reconciliation) => number) =>
        done.reduce((total, each) => total + count(each), 0);
      expect([sum(({ healed }) => healed), sum(({ posted }) => posted)]).toEqual([5, 7]);
      expect(await listBreaks(dbs[0] as Db, { shortCode })).toEqual([]);

      const closed = await Promise.allSettled(dbs.map((db) => closePeriod(db, { shortCode, ...BOOKS })));
      expect(closed.map(({ status }) => status)).toContain('fulfilled');
      for (const db of dbs) {
        expect(await listPeriods(db, shortCode)).toMatchObject([{ status: 'CLOSED', float: '44.00' }]);
      }
      // What three nodes are told of afterwards is late, and none of it counts in the closed period.
      const late = dbs.map(() => ({ ...depositTo(round % 2 === 0 ? one : two), shortCode }));
      await Promise.all(dbs.map((db, place) => recordDeposits(db, [late[place] as Deposit])));
      const { report } = await reconcile(dbs[round % 3] as Db, { shortCode, ...sinceToday() });
      expect(report.controls.late.map(({ reference }) => reference).toSorted()).toEqual(
        late.map(({ receipt }) => receipt).toSorted(),
      );
    }
    expect(await findingsOf(dbs[1] as Db)).toEqual([]);
  });

  it('shows in a report one moment, while charges are posted on other nodes', async () => {
    const shortCode = '800010';
    const [one] = await walletsApart();
    await importLines(
      dbs[0] as Db,
      shortCode,
      Array.from({ length: 900 }, (_, place) => ({
        ...lineOf(one, place),
        what: 'charge' as const,
        cents: 1_00n,
      })),
    );
    // Or each of them is compared with each other.
    await execute(cluster.url, 'ANALYZE services.mpesa_statement_lines');
    await using posting = postOneByOne(dbs[2] as Db, shortCode);
    await until('charges are posted', () => posting.count() > 5);
    // A movement that is seen without its line would be a break.
    for (let count = 0; count < 20; count += 1) {
      const { report } = await reconcile(dbs[count % 2] as Db, { shortCode, ...sinceToday() });
      expect(report.breaks.filter(({ reference }) => reference.startsWith('MC-'))).toEqual([]);
    }
    const then = posting.count();
    await until('charges go on being posted', () => posting.count() > then + 5);
  });

  it('loses no cent and moves none twice when a worker is killed during transfers', async () => {
    const wallets = await walletsApart();
    await recordDeposits(
      dbs[0] as Db,
      [...wallets, ...wallets, ...wallets].map((number) => depositTo(number)),
    );
    const keys = `SELECT count(*) AS n FROM core.transactions WHERE idempotency_key LIKE 'move-%'`;
    const before = await numberOf(cluster.url, keys);
    await using moves = moveMoney(wallets, dbs);
    await until('money moves', () => moves.done.length > 20);
    const worker = cluster.workers[0];
    await worker?.kill();
    await until('transfers are refused', () => moves.failed.length > 0);
    if (worker !== undefined) await cluster.restart(worker);
    const then = moves.done.length;
    await until('money moves again', () => moves.done.length > then + 20);
    await moves.end();
    // What was prepared on one node and not yet committed is finished by the coordinator, also by itself.
    await execute(cluster.url, 'SELECT recover_prepared_transactions()');
    // Whoever got no answer asks again, and it is done once.
    for (const request of moves.failed) expect(await codeOf(transfer(dbs[0] as Db, request))).toBe('done');
    expect(await numberOf(cluster.url, keys)).toBe(before + moves.done.length + moves.failed.length);
    expect(await findingsOf(dbs[0] as Db)).toEqual([]);
  });

  it('loses nothing and credits nothing twice when a worker is killed', async () => {
    const wallets = await walletsApart();
    const before = await numberOf(cluster.url, `SELECT count(*) AS n FROM services.mpesa_logs`);
    const told = `SELECT count(*) AS n FROM services.sms_logs`;
    const toldBefore = await numberOf(cluster.url, told);
    const intake = createDepositIntake(dbs[0] as Db, { lanes: 2, maxBatch: 20 });
    const acknowledged: string[] = [];
    const unanswered: Deposit[] = [];
    const signal = { isOver: false };
    const callers = Array.from({ length: 8 }, async (_, caller) => {
      while (!signal.isOver) {
        const deposit = depositTo(wallets[caller % 2] ?? '');
        await intake.record(deposit).then(
          ({ receipt }) => acknowledged.push(receipt),
          () => unanswered.push(deposit),
        );
      }
    });
    await until('payments are recorded', () => acknowledged.length > 40);
    const worker = cluster.workers[1];
    await worker?.kill();
    await until('payments are refused', () => unanswered.length > 0);
    if (worker !== undefined) await cluster.restart(worker);
    const then = acknowledged.length;
    await until('payments are recorded again', () => acknowledged.length > then + 40);
    signal.isOver = true;
    await Promise.all(callers);
    // What was prepared on one node and not yet committed is finished by the coordinator, also by itself.
    await execute(cluster.url, 'SELECT recover_prepared_transactions()');
    for (const deposit of unanswered) acknowledged.push((await intake.record(deposit)).receipt);
    await intake.close();
    const recorded = await execute(
      cluster.url,
      `SELECT count(*)::int AS logs, count(DISTINCT mpesa_receipt)::int AS receipts FROM services.mpesa_logs`,
    );
    expect(recorded).toEqual([
      { logs: before + acknowledged.length, receipts: before + acknowledged.length },
    ]);
    expect(await numberOf(cluster.url, told)).toBe(toldBefore + acknowledged.length);
    expect(await numberOf(cluster.url, BALANCES)).toBe(0);
    const claimed = `SELECT count(*) AS n FROM services.mpesa_logs l WHERE l.mpesa_receipt NOT IN (SELECT reference FROM lanes.claims)`;
    expect(await numberOf(cluster.url, claimed)).toBe(0);
    expect(await findingsOf(dbs[0] as Db)).toEqual([]);
  });
});
