import { arrayLiteral } from '../connection/array-literal.ts';
import { query } from '../connection/handle.ts';
import type { Handle, Statement } from '../connection/handle.ts';
import { isUuid, requireText } from '../request.ts';
import type { BreakChanges } from './breaks.ts';
import { readBreakSheet } from './read-break-sheet.ts';
import { SheetError } from './sheet-error.ts';
import { isFault, judgeRow } from './sheet-rows.ts';
import type { RowChange, RowFault, SeenBreak } from './sheet-rows.ts';

export interface SheetRequest {
  /** Who does it: another than who proposed, to approve. */
  readonly by: string;
  /** Change the breaks. Default: false, which says what would be changed. */
  readonly isApplied?: boolean;
  /** Change the others when rows are refused, instead of nothing. Default: false. */
  readonly skipRefused?: boolean;
}

/** What became of the rows of a sheet, or what would. */
export interface SheetChanges {
  readonly isApplied: boolean;
  /** Rows below the header, without blank ones. */
  readonly rows: number;
  /** Rows that ask for nothing. */
  readonly untouched: number;
  readonly changes: readonly Omit<RowChange, 'version'>[];
  readonly refused: readonly RowFault[];
}

/** Rows of one sheet; `listBreaks` gives no more. */
const MOST = 1_000;

/**
 * Does what the rows of a sheet of breaks ask for, an XLSX file as a spreadsheet saves it. Each row names its break, the
 * version that was seen and the action; a row without an action asks for nothing.
 *
 * @throws DaftariError `invalid_sheet`, `invalid_request` naming the field; `sheet_refused` (a SheetError) when rows are
 * refused and none is to be skipped. Nothing is changed then.
 */
export async function changeBreaksBySheet(
  db: Handle,
  path: string,
  request: SheetRequest,
): Promise<SheetChanges> {
  const { by, isApplied = false, skipRefused = false } = request;
  requireText('by', by, 100);
  const sheetRows = await readBreakSheet(path, MOST);
  const seen = await seenBreaks(
    db,
    sheetRows.map(({ id }) => id),
  );
  const judged = sheetRows.flatMap((row) => judgeRow(row, seen.get(row.id)) ?? []);
  const asked = judged.filter((each) => !isFault(each));
  const twice = repeatedRows(asked);
  const wanted = asked.filter(({ row }) => !twice.some((each) => each.row === row));
  const faults = [...judged.filter(isFault), ...twice];

  const mayApply = isApplied && (skipRefused || faults.length === 0);
  const outcomes = await query<OutcomeRow>(
    db,
    CHANGE,
    values(wanted, { by, isTrial: !mayApply, skipRefused }),
  );
  const refusals = new Map(outcomes.map(({ id, reason }) => [id, reason]));
  const late = wanted.flatMap((change) => refusalOf(change, refusals.get(change.id) ?? null));
  const refused = await explainStale(
    db,
    [...faults, ...late],
    new Map(sheetRows.map((row) => [row.row, row.version])),
  );
  if (isApplied && !skipRefused && refused.length > 0) throw new SheetError(refused);
  return {
    isApplied,
    rows: sheetRows.length,
    untouched: sheetRows.length - judged.length,
    changes: wanted
      .filter(({ id }) => (refusals.get(id) ?? null) === null)
      .map(({ version: _version, ...change }) => change),
    refused,
  };
}

async function seenBreaks(db: Handle, ids: readonly string[]): Promise<Map<string, SeenBreak>> {
  const rows = await query<SeenBreak>(db, SEEN, [arrayLiteral(ids.filter((id) => isUuid(id)))]);
  return new Map(rows.map((row) => [row.id, row]));
}

/** The second row of a break and those after it. */
function repeatedRows(changes: readonly RowChange[]): RowFault[] {
  const first = new Map<string, number>();
  return changes.flatMap(({ row, id }) => {
    const before = first.get(id);
    if (before === undefined) {
      first.set(id, row);
      return [];
    }
    return [
      { row, id, reason: 'row_repeated', column: 'id', what: `stands in row ${String(before)} as well` },
    ];
  });
}

function refusalOf({ row, id, action }: RowChange, reason: OutcomeRow['reason']): RowFault[] {
  if (reason === null) return [];
  const what = {
    unknown_break: 'is the id of no break',
    stale: 'is not that of the break any more',
    wrong_status: `does not allow to ${action}`,
    same_person: 'proposed it, and another person approves',
  }[reason];
  const column = { unknown_break: 'id', stale: 'version', wrong_status: 'status', same_person: 'proposedBy' }[
    reason
  ];
  return [{ row, id, reason, column, what }];
}

/** Says of breaks that have moved on what was done since, and by whom. In the order of the rows. */
async function explainStale(
  db: Handle,
  faults: readonly RowFault[],
  versions: ReadonlyMap<number, string>,
): Promise<RowFault[]> {
  const stale = faults.filter(({ reason }) => reason === 'stale');
  const events = await query<EventRow>(db, SINCE, [
    arrayLiteral(stale.map(({ id }) => id)),
    arrayLiteral(stale.map(({ row }) => versions.get(row) ?? null)),
  ]);
  return faults
    .map((fault) => {
      const done = fault.reason === 'stale' ? events.filter(({ id }) => id === fault.id) : [];
      const texts = done.map(
        ({ version, action, actor }) => `${action} by ${actor} (version ${String(version)})`,
      );
      return texts.length === 0
        ? fault
        : { ...fault, what: `is not that of the break any more: ${texts.join(', ')}` };
    })
    .toSorted((a, b) => a.row - b.row);
}

interface OutcomeRow {
  readonly id: string;
  readonly reason: BreakChanges['refused'][number]['reason'] | null;
}

interface EventRow {
  readonly id: string;
  readonly version: number;
  readonly action: string;
  readonly actor: string;
}

function values(
  changes: readonly RowChange[],
  {
    by,
    isTrial,
    skipRefused,
  }: { readonly by: string; readonly isTrial: boolean; readonly skipRefused: boolean },
) {
  const column = (pick: (change: RowChange) => string | null) => arrayLiteral(changes.map(pick));
  return [
    column(({ id }) => id),
    column(({ version }) => String(version)),
    column(({ action }) => action),
    by,
    column(({ assignee }) => assignee),
    column(({ reason }) => reason),
    column(({ comment }) => comment),
    column(({ evidence }) => evidence),
    isTrial,
    skipRefused,
  ];
}

const SEEN: Statement = {
  name: 'mpesa_breaks_seen',
  text: `
SELECT b.id::text AS id, b.reference, b.status, b.version, b.assignee, b.reason, b.comment, b.evidence
  FROM services.mpesa_breaks b
 WHERE b.id = ANY ($1::uuid[])`,
};

const CHANGE: Statement = {
  name: 'mpesa_breaks_change_by_row',
  text: `
SELECT id::text AS id, reason
  FROM services.change_mpesa_breaks_by_row(
      p_ids => $1::uuid[], p_versions => $2::integer[], p_actions => $3::text[], p_by => $4::text, p_assignees => $5::text[],
      p_reasons => $6::text[], p_comments => $7::text[], p_evidences => $8::text[], p_is_trial => $9::boolean,
      p_skips_refused => $10::boolean
  )`,
};

const SINCE: Statement = {
  name: 'mpesa_break_events_since',
  text: `
SELECT e.break_id::text AS id, e.version, e.action, e.actor
  FROM unnest($1::uuid[], $2::integer[]) AS s (id, version)
  JOIN services.mpesa_break_events e ON e.break_id = s.id AND e.version > s.version
 ORDER BY e.break_id, e.version`,
};
