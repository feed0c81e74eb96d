import { expect, test } from 'vitest';
import { playEverything } from '../testing/database/audit-scenario.ts';
import type { AuditScenario } from '../testing/database/audit-scenario.ts';
import { openTestDb, useTestDb } from '../testing/database/test-db.ts';
import { transaction } from '../connection/transaction.ts';
import { laneOf, stripeOf } from '../lanes.ts';
import { WAITING_WALLET } from '../testing/ledger/suspense.ts';
import { auditLedger, auditSnapshot } from './audit-ledger.ts';
import type { AuditOptions, LedgerAudit } from './audit-ledger.ts';

const database = useTestDb();
let played: Promise<AuditScenario> | undefined;

/** A ledger in which everything has happened once. */
function play(): Promise<AuditScenario> {
  played ??= playEverything(database);
  return played;
}

/** The faults that were found, as `check: what`. */
function faultsOf({ checks }: LedgerAudit): string[] {
  return checks.flatMap(({ name, findings }) => findings.map(({ what }) => `${name}: ${what}`));
}

/** Ends the transaction of a damage, so that the ledger is sound again. */
class Undo extends Error {}

/** What an audit says after statements that went past every trigger and foreign key, as a superuser's can. */
async function auditDamage(statements: string, options: AuditOptions = {}): Promise<LedgerAudit> {
  const audits: LedgerAudit[] = [];
  const undone = transaction(database.db, async (handle) => {
    for (const text of ['SET LOCAL session_replication_role = replica', ...statements.split(/;\s*\n/)]) {
      await handle.prisma.$executeRawUnsafe(text);
    }
    audits.push(await auditSnapshot(handle, options));
    throw new Undo('undone');
  });
  await expect(undone).rejects.toThrow(Undo);
  const [audit] = audits;
  if (audit === undefined) throw new Error('the audit did not come to an end');
  return audit;
}

test('a ledger in which everything has happened is clean, and the audit says how much it looked at', async () => {
  await play();
  const seen: string[] = [];
  const audit = await auditLedger(database.db, { onCheck: ({ name }) => seen.push(name) });
  expect(faultsOf(audit)).toEqual([]);
  expect(audit.checks.map(({ faults }) => faults)).toEqual(audit.checks.map(() => 0));
  expect(audit).toMatchObject({ wallets: 8, transactions: 11 });
  expect(seen).toEqual(audit.checks.map(({ name }) => name));
});

test('an empty ledger is clean', async () => {
  await using empty = await openTestDb();
  expect(faultsOf(await auditLedger(empty.db))).toEqual([]);
});

interface Damage {
  readonly damage: string;
  readonly sql: (scenario: AuditScenario) => string;
  readonly found: (scenario: AuditScenario) => readonly string[];
}

/** Damage done around the guards, and every finding that must report it. */
const DAMAGES: readonly Damage[] = [
  {
    damage: 'a balance is raised',
    sql: ({ to }) => `UPDATE core.wallets SET balance = balance + 10 WHERE id = '${to}'`,
    found: ({ to }) => [
      'sum: the balances in KES add up to 10.00',
      `balances: wallet ${to} has 197.50 and its postings make 187.50`,
    ],
  },
  {
    damage: 'money moves between balances, so that the sum is still zero',
    sql: ({ from, to }) => `
      UPDATE core.wallets SET balance = balance + CASE id WHEN '${to}' THEN 1 ELSE -1 END WHERE id IN ('${from}', '${to}')`,
    found: ({ from, to }) =>
      [
        `balances: wallet ${from} has 437.50 and its postings make 438.50`,
        `balances: wallet ${to} has 188.50 and its postings make 187.50`,
      ].toSorted(),
  },
  {
    damage: 'a version is changed',
    sql: ({ to }) => `UPDATE core.wallets SET version = 9 WHERE id = '${to}'`,
    found: ({ to }) => [`balances: wallet ${to} has version 9 and 4 postings`],
  },
  {
    damage: 'a wallet is deleted',
    sql: ({ from }) => `DELETE FROM core.wallets WHERE id = '${stripeOf('FEES', laneOf(from))}'`,
    found: ({ from }) => [
      'sum: the balances in KES add up to -4.00',
      `balances: wallet ${stripeOf('FEES', laneOf(from))} does not exist and has 3 postings`,
    ],
  },
  {
    damage: 'a version of a wallet is left out',
    sql: ({ transfer }) => `UPDATE core.transactions SET debit_version = 20 WHERE reference = '${transfer}'`,
    found: ({ from, transfer }) => [
      `order: transaction ${transfer} is posting 20 of wallet ${from} and follows 8`,
      `order: transaction ${transfer}-F is posting 3 of wallet ${from} and follows 1`,
    ],
  },
  {
    damage: 'a balance after a posting is changed',
    sql: ({ capture }) =>
      `UPDATE core.transactions SET credit_balance_after = credit_balance_after + 5 WHERE reference = '${capture}-F'`,
    found: ({ capture, from }) => [
      `order: transaction ${capture}-F is posting 3 of wallet ${stripeOf('FEES', laneOf(from))} with 9.00 after it, and 2.00 before it and its amount make 4.00`,
    ],
  },
  {
    damage: 'a transaction is stamped earlier than the one before it, with the right hash',
    sql: ({ waiting }) => `
      UPDATE core.transactions SET created_at = created_at + interval '1 hour' WHERE reference = '${waiting}';
      UPDATE core.transactions SET verification_hash = core.verification_hash(reference, amount, created_at)
       WHERE reference = '${waiting}'`,
    // The deposit into `from` came before them, and may have come out of the same stripe.
    found: ({ assigned, from }) =>
      [
        `order: transaction ${assigned} is posting ${laneOf(from) === laneOf('') ? 3 : 2} of wallet ${stripeOf('MPESA-FLOAT', laneOf(''))} and is earlier than the posting before it`,
        `order: transaction ${assigned} is posting 2 of wallet ${WAITING_WALLET} and is earlier than the posting before it`,
      ].toSorted(),
  },
  {
    damage: 'a transaction gets another currency',
    sql: ({ transfer }) => `UPDATE core.transactions SET currency = 'UGX' WHERE reference = '${transfer}'`,
    found: ({ transfer }) => [`currencies: transaction ${transfer} is in UGX between wallets in KES and KES`],
  },
  {
    damage: 'a floor is raised above the balance while the CHECK is away',
    sql: ({ to }) => `
      ALTER TABLE core.wallets DROP CONSTRAINT wallets_funds_check;
      UPDATE core.wallets SET min_balance = 1000 WHERE id = '${to}'`,
    found: ({ to }) => [`funds: wallet ${to} has 187.50, of it 0.00 held, and may not go below 1000.00`],
  },
  {
    damage: 'held money is set free',
    sql: ({ from }) => `UPDATE core.wallets SET held = 0 WHERE id = '${from}'`,
    found: ({ from }) => [
      expect.stringMatching(`^holds: wallet ${from} holds 0\\.00 and its active holds reserve 4\\d\\.00$`),
    ],
  },
  {
    damage: 'an active hold is deleted',
    sql: ({ active }) => `DELETE FROM core.holds WHERE id = '${active}'`,
    found: ({ from, active }) => [
      expect.stringMatching(`^holds: wallet ${from} holds 4\\d\\.00 and its active holds reserve 0\\.00$`),
      `requests: a request was posted as ${active}, which does not exist`,
    ],
  },
  {
    damage: 'a hash is changed',
    sql: ({ transfer }) =>
      `UPDATE core.transactions SET verification_hash = repeat('0', 64) WHERE reference = '${transfer}'`,
    found: ({ transfer }) => [`hashes: transaction ${transfer} has the verification hash of other facts`],
  },
  {
    damage: 'a hash is emptied',
    sql: ({ transfer }) =>
      `UPDATE core.transactions SET verification_hash = NULL WHERE reference = '${transfer}'`,
    found: ({ transfer }) => [`hashes: transaction ${transfer} has no verification hash`],
  },
  {
    damage: 'the log of a deposit is deleted',
    sql: ({ deposit }) => `DELETE FROM services.mpesa_logs WHERE mpesa_receipt = '${deposit}'`,
    found: ({ deposit }) => [
      `deposits: deposit ${deposit} has no M-PESA log`,
      `callbacks: callback ${deposit} is CREDITED and has no M-PESA log`,
    ],
  },
  {
    damage: 'the amount of a log is changed',
    sql: ({ deposit }) => `UPDATE services.mpesa_logs SET amount = 50 WHERE mpesa_receipt = '${deposit}'`,
    found: ({ deposit }) => [
      `deposits: deposit ${deposit} is of 500.00 and its M-PESA log says 50.00`,
      `logs: M-PESA log ${deposit} says 50.00 and the message that it keeps says 500.00`,
    ],
  },
  {
    damage: 'the wallet of a log is changed',
    sql: ({ deposit, to }) =>
      `UPDATE services.mpesa_logs SET wallet_id = '${to}' WHERE mpesa_receipt = '${deposit}'`,
    found: ({ deposit, from, to }) => [
      `deposits: deposit ${deposit} went to ${from} and its M-PESA log says ${to}`,
    ],
  },
  {
    damage: 'the outcome of a log is changed',
    sql: ({ deposit }) =>
      `UPDATE services.mpesa_logs SET outcome = 'SUSPENSE' WHERE mpesa_receipt = '${deposit}'`,
    found: ({ deposit, from }) => [
      `deposits: deposit ${deposit} went to ${from} and its M-PESA log says SUSPENSE`,
      `callbacks: callback ${deposit} is CREDITED and its M-PESA log says SUSPENSE`,
    ],
  },
  {
    damage: 'a log is written for a payment that was not credited',
    sql: () => `
      INSERT INTO services.mpesa_logs (mpesa_receipt, amount, outcome, wallet_id)
      VALUES ('BLOCKED001', 100, 'CREDITED', 'SUSPENSE')`,
    found: () => [
      'logs: M-PESA log BLOCKED001 has no deposit',
      'callbacks: M-PESA log BLOCKED001 has no callback in the inbox',
    ],
  },
  {
    damage: 'a callback is deleted from the inbox',
    sql: ({ waiting }) => `DELETE FROM services.mpesa_callbacks WHERE receipt = '${waiting}'`,
    found: ({ waiting }) => [`callbacks: M-PESA log ${waiting} has no callback in the inbox`],
  },
  {
    damage: 'a repeated callback is made to look credited',
    sql: ({ deposit }) =>
      `UPDATE services.mpesa_callbacks SET outcome = 'CREDITED' WHERE receipt = '${deposit}'`,
    found: ({ deposit }) => [`callbacks: callback ${deposit} is credited 2 times in the inbox`],
  },
  {
    damage: 'an assignment is given another name',
    sql: ({ assigned }) => `
      UPDATE core.transactions SET reference = 'AS-NOBODY', verification_hash = core.verification_hash('AS-NOBODY', amount, created_at)
       WHERE reference = 'AS-${assigned}';
      UPDATE core.requests SET reference = 'AS-NOBODY' WHERE reference = 'AS-${assigned}'`,
    found: () => ['assignments: assignment AS-NOBODY has no deposit in the wallet that it left'],
  },
  {
    damage: 'money leaves suspense as a transfer',
    sql: ({ assigned }) =>
      `UPDATE core.transactions SET type = 'TRANSFER' WHERE reference = 'AS-${assigned}'`,
    found: ({ assigned }) => [`assignments: TRANSFER AS-${assigned} moved money of the suspense wallet`],
  },
  {
    damage: 'the request of a transfer is forgotten',
    sql: ({ transfer }) => `DELETE FROM core.requests WHERE reference = '${transfer}'`,
    found: ({ transfer }) => [`requests: transaction ${transfer} has a key whose request is not remembered`],
  },
  {
    damage: 'the request of a transfer is made a refusal',
    sql: ({ transfer }) =>
      `UPDATE core.requests SET outcome = 'REFUSED', reason = 'insufficient_funds' WHERE reference = '${transfer}'`,
    found: ({ transfer }) => [
      `requests: transaction ${transfer} has a key whose request is remembered as refused`,
    ],
  },
  {
    damage: 'the contents of a request are changed',
    sql: ({ transfer }) =>
      `UPDATE core.requests SET digest = repeat('0', 64) WHERE reference = '${transfer}'`,
    found: ({ transfer }) => [
      `requests: transaction ${transfer} has a key whose request is remembered with other contents`,
    ],
  },
  {
    damage: 'a request is written for a transfer that was never made',
    sql: () => `
      INSERT INTO core.requests (idempotency_key, digest, outcome, reference)
      VALUES ('payroll-7', repeat('0', 64), 'POSTED', 'DF-NEVER')`,
    found: () => ['requests: a request was posted as DF-NEVER, which does not exist'],
  },
  {
    damage: 'a reversal is pointed at a smaller transaction',
    sql: ({ reversal, transfer }) => `
      UPDATE core.transactions SET reverses_id = (SELECT id FROM core.transactions WHERE reference = '${transfer}-F')
       WHERE reference = '${reversal}'`,
    found: ({ reversal, transfer }) =>
      [
        `reversals: reversal ${reversal} does not go back the way ${transfer}-F came`,
        `reversals: transaction ${transfer}-F of 1.00 was reversed by 12.50`,
      ].toSorted((a, b) => (subjectOf(a) < subjectOf(b) ? -1 : 1)),
  },
  {
    damage: 'a reversal is pointed at nothing',
    sql: ({ reversal }) =>
      `UPDATE core.transactions SET reverses_id = core.new_id() WHERE reference = '${reversal}'`,
    found: ({ reversal }) => [`reversals: reversal ${reversal} reverses a transaction that does not exist`],
  },
  {
    damage: 'what a hold paid out is changed',
    sql: ({ captured }) => `UPDATE core.holds SET captured = 5 WHERE id = '${captured}'`,
    found: ({ captured, capture, from }) => [
      `captures: hold ${captured} of wallet ${from} captured 5.00, and ${capture} took 20.00 from wallet ${from}`,
    ],
  },
  {
    damage: 'a captured hold forgets what it paid',
    sql: ({ captured }) => `UPDATE core.holds SET captured = 0 WHERE id = '${captured}'`,
    found: ({ captured }) => [`captures: hold ${captured} is CAPTURED and captured 0.00`],
  },
  {
    damage: 'a hold names a transaction that does not exist',
    sql: ({ captured }) => `UPDATE core.holds SET capture_reference = 'DF-NEVER' WHERE id = '${captured}'`,
    found: ({ captured }) => [`captures: hold ${captured} was captured by DF-NEVER, which does not exist`],
  },
  {
    damage: 'a fee gets another name',
    sql: ({ transfer }) => `
      UPDATE core.transactions SET reference = 'DF-NEVER-F', verification_hash = core.verification_hash('DF-NEVER-F', amount, created_at)
       WHERE reference = '${transfer}-F'`,
    found: () => ['fees: fee DF-NEVER-F belongs to no transaction of its payer'],
  },
  {
    damage: 'the cost of an SMS is lowered',
    sql: () => `UPDATE services.sms_logs SET cost = 0.1 WHERE template = 'deposit'`,
    found: () => [
      expect.stringMatching(/^sms-costs: SMS cost \d\.\d000 KES and \d\.\d000 is booked as spent$/),
    ],
  },
  {
    damage: 'the spending of a day is deleted',
    sql: () => `DELETE FROM services.sms_spend`,
    found: () => [
      expect.stringMatching(/^sms-costs: SMS cost \d\.\d000 KES and 0\.0000 is booked as spent$/),
    ],
  },
];

function subjectOf(fault: string): string {
  return fault.split(' ')[2] ?? '';
}

test.for(DAMAGES)('found out, and nothing else is: $damage', async ({ sql, found }) => {
  const scenario = await play();
  expect(faultsOf(await auditDamage(sql(scenario)))).toEqual(found(scenario));
});

test('only the first faults are named, and all are counted', async () => {
  await play();
  const { checks } = await auditDamage(`UPDATE core.transactions SET verification_hash = repeat('0', 64)`, {
    limit: 3,
  });
  const hashes = checks.find(({ name }) => name === 'hashes');
  expect(hashes).toMatchObject({ faults: 11 });
  expect(hashes?.findings.map(({ subject }) => subject)).toHaveLength(3);
});

test('a finding names no phone number, no holder and no key of a caller', async () => {
  await play();
  const [{ secrets = [] } = {}] = await database.sql(`
    SELECT array_agg(s) AS secrets FROM (
      SELECT phone::text FROM core.wallets UNION SELECT holder_name FROM core.wallets WHERE kind = 'CUSTOMER'
      UNION SELECT idempotency_key FROM core.requests UNION SELECT payer_name FROM services.mpesa_logs
      UNION SELECT phone FROM services.mpesa_logs
    ) AS t (s) WHERE s IS NOT NULL`);
  const audit = await auditDamage(`
    UPDATE core.transactions SET amount = amount + 1, currency = 'UGX';
    UPDATE core.wallets SET version = 99;
    UPDATE core.requests SET digest = 'x';
    UPDATE services.mpesa_logs SET amount = 1;
    UPDATE core.holds SET amount = 77;
    DELETE FROM services.mpesa_callbacks;
    DELETE FROM services.sms_spend`);
  const text = JSON.stringify(audit);
  expect(faultsOf(audit).length).toBeGreaterThan(20);
  expect(Array.isArray(secrets) && secrets.length).toBeGreaterThan(8);
  for (const secret of Array.isArray(secrets) ? secrets : []) expect(text).not.toContain(String(secret));
});

test('rows from before this ledger need no hash, no log and no callback', async () => {
  const { from } = await play();
  const audit = await auditDamage(
    `INSERT INTO core.transactions (id, reference, type, debit_wallet_id, credit_wallet_id, amount, created_at,
            debit_version, debit_balance_after, credit_version, credit_balance_after, xact_id)
     SELECT gen_random_uuid(), 'OLD-1', 'DEPOSIT', 'MPESA-FLOAT', '${from}', 0.01, '2023-01-01', 0, 0, 0, 0, 1;
     INSERT INTO services.mpesa_logs (mpesa_receipt, amount, created_at) VALUES ('OLD-2', 5, '2023-01-01')`,
  );
  const concerned = faultsOf(audit).filter((fault) => /^(hashes|deposits|logs|callbacks):/.test(fault));
  expect(concerned).toEqual([]);
});

test('nothing is written, and nobody is kept from writing', async () => {
  await play();
  await database.sql('BEGIN');
  // Another session locks every row, and writes on afterwards.
  await database.sql('SELECT FROM core.wallets FOR UPDATE');
  await database.sql('SELECT FROM core.transactions FOR UPDATE');
  expect(faultsOf(await auditLedger(database.db))).toEqual([]);
  await database.sql('COMMIT');
});
