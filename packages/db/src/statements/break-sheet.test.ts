import { expect, test } from 'vitest';
import type { BookEntry } from '@repo/statements/testing/statement-file';
import { temporaryFile } from '@repo/testing/temporary-file';
import { workbookOf } from '@repo/xlsx/testing/workbook';
import { xlsxFile } from '@repo/xlsx/write';
import type { Handle } from '../connection/handle.ts';
import { longTransaction } from '../connection/long-transaction.ts';
import { transaction } from '../connection/transaction.ts';
import { newReceipt } from '../testing/deposits/sample-deposit.ts';
import { untilWaiting } from '../testing/database/lock-waiters.ts';
import { useTestDb } from '../testing/database/test-db.ts';
import { importBook, newShortCode, noonPlus, reconcileDay } from '../testing/statements.ts';
import { changeBreaksBySheet } from './break-sheet.ts';
import type { SheetRequest } from './break-sheet.ts';
import { breakHistory, changeBreaks, listBreaks } from './breaks.ts';
import type { WorkedBreak } from './breaks.ts';

const database = useTestDb();

/** Breaks of a short code of their own. */
async function openBreaks(count: number): Promise<WorkedBreak[]> {
  const shortCode = newShortCode();
  const book = Array.from({ length: count }, (_, i): BookEntry => ({
    receipt: newReceipt(),
    at: noonPlus(i),
    what: 'payout',
    cents: 150_00n,
  }));
  await importBook(database.db, book, { shortCode, opening: 1_000_000_00n });
  await reconcileDay(database.db, shortCode);
  return listBreaks(database.db, { shortCode });
}

let pair: Promise<WorkedBreak[]> | null = null;

/** Two breaks that tests share whose sheets change nothing. */
function untouched(): Promise<WorkedBreak[]> {
  pair ??= openBreaks(2);
  return pair;
}

type Edit = Partial<
  Record<
    'id' | 'version' | 'action' | 'reference' | 'status' | 'assignee' | 'reason' | 'comment' | 'evidence',
    string
  >
>;
const COLUMNS = [
  'id',
  'reference',
  'amount',
  'status',
  'assignee',
  'reason',
  'comment',
  'evidence',
  'version',
  'action',
] as const;

/** The rows that a spreadsheet saves of these breaks, after a person edited them. */
function rowsOf(breaks: readonly WorkedBreak[], edits: readonly Edit[]): string[][] {
  const rows = breaks.map((each, i) => {
    const shown: Readonly<Record<(typeof COLUMNS)[number], string | null>> = {
      ...each,
      status: each.status.toLowerCase(),
      version: String(each.version),
      action: '',
    };
    const edited: Readonly<Partial<typeof shown>> = { ...shown, ...edits[i] };
    return COLUMNS.map((column) => edited[column] ?? '');
  });
  return [[...COLUMNS], ...rows];
}

async function send(
  rows: readonly (readonly string[])[],
  request: Partial<SheetRequest> = {},
  db: Handle = database.db,
) {
  await using file = await temporaryFile(await workbookOf(rows, { isShared: true }));
  return await changeBreaksBySheet(db, file.path, { by: 'Akinyi', ...request });
}

async function statesOf(breaks: readonly WorkedBreak[]) {
  const found = await listBreaks(database.db, { shortCode: breaks[0]?.shortCode ?? '' });
  return breaks.map(({ id }) => found.find((each) => each.id === id));
}

test('a sheet says first what it would change, then does it, each row something of its own', async () => {
  const breaks = await openBreaks(4);
  const rows = rowsOf(breaks, [
    { action: 'assign', assignee: 'Baraka' },
    { action: 'Propose', reason: 'refunded', comment: 'given back in cash', evidence: 'ticket 17' },
    {},
    { action: 'propose', reason: 'timing' },
  ]);
  const trial = await send(rows);
  expect(trial).toEqual({
    isApplied: false,
    rows: 4,
    untouched: 1,
    changes: [
      {
        row: 2,
        id: breaks[0]?.id,
        action: 'assign',
        assignee: 'Baraka',
        reason: null,
        comment: null,
        evidence: null,
      },
      {
        row: 3,
        id: breaks[1]?.id,
        action: 'propose',
        assignee: null,
        reason: 'refunded',
        comment: 'given back in cash',
        evidence: 'ticket 17',
      },
      {
        row: 5,
        id: breaks[3]?.id,
        action: 'propose',
        assignee: null,
        reason: 'timing',
        comment: null,
        evidence: null,
      },
    ],
    refused: [],
  });
  expect(await statesOf(breaks)).toEqual(breaks);

  expect(await send(rows, { isApplied: true })).toEqual({ ...trial, isApplied: true });
  expect(await statesOf(breaks)).toMatchObject([
    { status: 'ASSIGNED', assignee: 'Baraka', version: 2 },
    {
      status: 'PROPOSED',
      proposedBy: 'Akinyi',
      reason: 'refunded',
      comment: 'given back in cash',
      version: 2,
    },
    { status: 'OPEN', version: 1 },
    { status: 'PROPOSED', reason: 'timing', comment: null, version: 2 },
  ]);
});

test('a row whose break has moved on is refused with who did what, and nothing of the sheet is done unless it is skipped', async () => {
  const breaks = await openBreaks(3);
  const [first, second] = breaks.map(({ id }) => ({ id }));
  if (first === undefined || second === undefined) throw new Error('there are no breaks');
  const rows = rowsOf(
    breaks,
    breaks.map(() => ({ action: 'assign', assignee: 'Baraka' })),
  );
  await changeBreaks(database.db, { action: 'assign', by: 'Chege', assignee: 'Dalila', breaks: [second] });
  await changeBreaks(database.db, { action: 'propose', by: 'Dalila', reason: 'other', breaks: [second] });
  const moved = { row: 3, id: second.id, reason: 'stale', column: 'version' };
  const what =
    'is not that of the break any more: assign by Chege (version 2), propose by Dalila (version 3)';
  expect(await send(rows)).toMatchObject({
    changes: [{ row: 2 }, { row: 4 }],
    refused: [{ ...moved, what }],
  });
  await expect(send(rows, { isApplied: true })).rejects.toMatchObject({
    code: 'sheet_refused',
    findings: [{ where: 'row 3, version', what }],
    message: expect.not.stringMatching(/Chege|Dalila/),
  });
  expect((await statesOf(breaks)).map((each) => each?.version)).toEqual([1, 3, 1]);

  expect(await send(rows, { isApplied: true, skipRefused: true })).toMatchObject({
    isApplied: true,
    changes: [{ row: 2 }, { row: 4 }],
    refused: [moved],
  });
  expect((await statesOf(breaks)).map((each) => each?.assignee)).toEqual(['Baraka', 'Dalila', 'Baraka']);
  // The same sheet again: by now all of it is old.
  expect((await send(rows)).refused.map(({ reason }) => reason)).toEqual(['stale', 'stale', 'stale']);
});

test('nobody approves their own proposal by a sheet, and another person does', async () => {
  const breaks = await openBreaks(1);
  await send(rowsOf(breaks, [{ action: 'propose', reason: 'duplicate' }]), { isApplied: true });
  const proposed = (await statesOf(breaks)).filter((each) => each !== undefined);
  const rows = rowsOf(proposed, [{ action: 'approve' }]);
  expect((await send(rows)).refused).toMatchObject([{ row: 2, reason: 'same_person', column: 'proposedBy' }]);
  await expect(send(rows, { isApplied: true })).rejects.toMatchObject({ code: 'sheet_refused' });
  expect(await send(rows, { isApplied: true, by: 'Baraka' })).toMatchObject({ isApplied: true, refused: [] });
  const [found] = await statesOf(breaks);
  expect(found).toMatchObject({ status: 'APPROVED', proposedBy: 'Akinyi', reason: 'duplicate' });
  // What stood in the cells already is not said again by the one who approves.
  expect((await breakHistory(database.db, found?.id ?? '')).at(-1)).toMatchObject({
    actor: 'Baraka',
    reason: null,
  });
});

test.each<{ edit: Edit; reason: string; column: string | null }>([
  { edit: { comment: 'to be looked at' }, reason: 'action_missing', column: 'comment' },
  { edit: { action: 'delete' }, reason: 'action_unknown', column: 'action' },
  { edit: { action: 'assign', id: 'x' }, reason: 'row_unreadable', column: 'id' },
  { edit: { action: 'assign', version: '1.5' }, reason: 'row_unreadable', column: 'version' },
  {
    edit: { action: 'assign', id: '00000000-0000-4000-8000-000000000000' },
    reason: 'unknown_break',
    column: 'id',
  },
  { edit: { action: 'assign', version: '0' }, reason: 'stale', column: 'version' },
  { edit: { action: 'assign' }, reason: 'value_missing', column: 'assignee' },
  { edit: { action: 'propose' }, reason: 'value_missing', column: 'reason' },
  { edit: { action: 'propose', reason: 'because' }, reason: 'value_invalid', column: 'reason' },
  {
    edit: { action: 'propose', reason: 'other', comment: '#NAME?' },
    reason: 'value_invalid',
    column: 'comment',
  },
  {
    edit: { action: 'propose', reason: 'other', evidence: 'x'.repeat(1_001) },
    reason: 'value_invalid',
    column: 'evidence',
  },
  {
    edit: { action: 'assign', assignee: 'Baraka', reference: 'OTHER' },
    reason: 'not_editable',
    column: 'reference',
  },
  {
    edit: { action: 'assign', assignee: 'Baraka', status: 'resolved' },
    reason: 'not_editable',
    column: 'status',
  },
  {
    edit: { action: 'propose', reason: 'other', assignee: 'Baraka' },
    reason: 'not_of_action',
    column: 'assignee',
  },
  { edit: { action: 'resolve' }, reason: 'wrong_status', column: 'status' },
  { edit: { action: 'reopen' }, reason: 'value_missing', column: 'comment' },
])('a row edited to $edit is refused as $reason, and changes nothing', async ({ edit, reason, column }) => {
  const breaks = await untouched();
  const rows = rowsOf(breaks, [{ action: 'assign', assignee: 'Baraka' }, edit]);
  expect((await send(rows)).refused).toMatchObject([{ row: 3, reason, column }]);
  await expect(send(rows, { isApplied: true })).rejects.toMatchObject({ code: 'sheet_refused' });
  expect(await statesOf(breaks)).toEqual(breaks);
});

test('a cell that is cleared is refused, for a comment can only be replaced; and a break stands in one row', async () => {
  const breaks = await openBreaks(1);
  await send(rowsOf(breaks, [{ action: 'assign', assignee: 'Baraka', comment: 'look' }]), {
    isApplied: true,
  });
  const assigned = (await statesOf(breaks)).filter((each) => each !== undefined);
  expect(
    (await send(rowsOf(assigned, [{ action: 'propose', reason: 'other', comment: '' }]))).refused,
  ).toMatchObject([{ reason: 'value_missing', column: 'comment' }]);
  const twice = rowsOf(
    [...assigned, ...assigned],
    Array.from({ length: 2 }, () => ({ action: 'propose', reason: 'other' })),
  );
  expect(await send(twice)).toMatchObject({
    changes: [{ row: 2 }],
    refused: [{ row: 3, reason: 'row_repeated', what: 'stands in row 2 as well' }],
  });
});

test('a row without an action asks for nothing, also when its break has moved on since', async () => {
  const breaks = await openBreaks(2);
  const rows = rowsOf(breaks, [{}, { action: 'assign', assignee: 'Baraka' }]);
  const [first] = breaks;
  await changeBreaks(database.db, {
    action: 'assign',
    by: 'Chege',
    assignee: 'Dalila',
    breaks: [{ id: first?.id ?? '' }],
  });
  expect(await send(rows, { isApplied: true })).toMatchObject({
    untouched: 1,
    changes: [{ row: 3 }],
    refused: [],
  });
});

test('texts that look like formulas come back from our own sheet as they were, and so change nothing', async () => {
  const breaks = await openBreaks(1);
  const hostile = { reason: 'other', comment: '=1+1\r\nsecond line', evidence: '@cmd|x' } as const;
  await changeBreaks(database.db, {
    action: 'propose',
    by: 'Chege',
    ...hostile,
    breaks: breaks.map(({ id }) => ({ id })),
  });
  const proposed = (await statesOf(breaks)).filter((each) => each !== undefined);
  const columns = Object.fromEntries(
    COLUMNS.map((column, place) => [column, { cell: (row: readonly string[]) => row[place] ?? '' }]),
  );
  const [, ...rows] = rowsOf(proposed, [{ action: 'approve', evidence: '+receipt in the safe' }]);
  await using file = await temporaryFile(await xlsxFile({ name: 'breaks', columns, rows }));
  const done = await changeBreaksBySheet(database.db, file.path, { by: 'Akinyi', isApplied: true });
  expect(done.changes).toMatchObject([{ comment: null, evidence: '+receipt in the safe' }]);
  expect(await statesOf(breaks)).toMatchObject([
    { comment: hostile.comment, evidence: '+receipt in the safe' },
  ]);
});

test.each([
  { what: 'no workbook', bytes: 'id,version,action\r\n' },
  { what: 'a workbook that was cut off', bytes: 'PK\u0003\u0004xxxx' },
])('$what is no sheet', async ({ bytes }) => {
  await using file = await temporaryFile(bytes);
  const sent = changeBreaksBySheet(database.db, file.path, { by: 'Akinyi' });
  await expect(sent).rejects.toMatchObject({ code: 'invalid_sheet', kind: 'refused' });
});

test.each([
  { what: 'nothing in it', rows: [] },
  { what: 'no column action', rows: [['id', 'version']] },
  { what: 'a column twice', rows: [['id', 'version', 'action', 'comment', 'comment']] },
  {
    what: 'too many rows',
    rows: [['id', 'version', 'action'], ...Array.from({ length: 1_001 }, () => ['a', 'b', 'c'])],
  },
])('a sheet with $what is refused as a whole', async ({ rows }) => {
  await expect(send(rows)).rejects.toMatchObject({ code: 'invalid_sheet' });
});

test('of two sheets at once that share their breaks, in whatever order, one is applied whole and the other one not at all', async () => {
  for (let round = 0; round < 3; round += 1) {
    const breaks = await openBreaks(3);
    const [, middle] = breaks;
    const rows = rowsOf(
      breaks,
      breaks.map(() => ({ action: 'assign', assignee: 'Baraka' })),
    );
    const backwards = [...rows.slice(0, 1), ...rows.slice(1).toReversed()];
    const { told } = await transaction(database.db, async (handle) => {
      // Refused, and the break in the middle is locked until the end of this transaction.
      await changeBreaks(handle, {
        action: 'propose',
        by: 'x',
        reason: 'other',
        breaks: [{ id: middle?.id ?? '', version: 9 }],
      });
      // Long transactions run once: a deadlock would be seen here, and not be tried again.
      const sent = [rows, backwards].map((each, i) =>
        longTransaction(
          database.db,
          (own) => send(each, { isApplied: true, by: `person ${String(i)}` }, own),
          { timeoutMs: 60_000 },
        ),
      );
      const settled = Promise.allSettled(sent);
      await untilWaiting(database.url, 2);
      return { told: settled };
    });
    const outcomes = await told;
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(outcomes.find(({ status }) => status === 'rejected')).toMatchObject({
      reason: { code: 'sheet_refused' },
    });
    const winner = outcomes.findIndex(({ status }) => status === 'fulfilled');
    for (const { id } of breaks) {
      expect((await breakHistory(database.db, id)).map(({ actor }) => actor)).toEqual([
        expect.any(String),
        `person ${String(winner)}`,
      ]);
    }
  }
});
