import { isUuid } from '../request.ts';
import { BREAK_ACTIONS, BREAK_REASONS } from './breaks.ts';
import type { BreakAction, BreakReason } from './breaks.ts';
import { SHEET_FIELDS } from './read-break-sheet.ts';
import type { SheetField, SheetRow } from './read-break-sheet.ts';

/** Why a row of a sheet is refused. The last four are those of `changeBreaks`. */
export const SHEET_REFUSALS = [
  'row_unreadable',
  'row_repeated',
  'action_unknown',
  'action_missing',
  'value_missing',
  'value_invalid',
  'not_editable',
  'not_of_action',
  'unknown_break',
  'stale',
  'wrong_status',
  'same_person',
] as const;
type SheetRefusal = (typeof SHEET_REFUSALS)[number];

/** A break as a row is compared with it. */
export interface SeenBreak extends Readonly<Record<SheetField, string | null>> {
  readonly id: string;
  readonly reference: string;
  readonly status: string;
  readonly version: number;
}

/** What a row asks for. */
export interface RowChange extends Readonly<Record<Exclude<SheetField, 'reason'>, string | null>> {
  readonly row: number;
  readonly id: string;
  readonly version: number;
  readonly action: BreakAction;
  readonly reason: BreakReason | null;
}

export interface RowFault {
  readonly row: number;
  readonly id: string | null;
  readonly reason: SheetRefusal;
  readonly column: string | null;
  readonly what: string;
}

/** What each action takes from the row, and the field that it needs. */
const TAKES: Readonly<
  Record<BreakAction, { readonly needs?: SheetField; readonly fields: readonly SheetField[] }>
> = {
  assign: { needs: 'assignee', fields: ['assignee', 'comment', 'evidence'] },
  propose: { needs: 'reason', fields: ['reason', 'comment', 'evidence'] },
  approve: { fields: ['comment', 'evidence'] },
  reject: { fields: ['comment', 'evidence'] },
  resolve: { fields: ['comment', 'evidence'] },
  reopen: { needs: 'comment', fields: ['comment', 'evidence'] },
};

/** What a spreadsheet shows for a formula that it cannot work out. */
const CELL_ERROR = /^#(NAME\?|REF!|VALUE!|N\/A|DIV\/0!|NUM!|NULL!)$/;

const LONGEST = { assignee: 100, reason: 40, comment: 1_000, evidence: 1_000 } as const;

/** What a row asks for, compared with its break as it is now: a change, what is wrong with it, or null for nothing. */
export function judgeRow(sheetRow: SheetRow, seen: SeenBreak | undefined): RowChange | RowFault | null {
  const { row, id } = sheetRow;
  const version = /^\d{1,9}$/.test(sheetRow.version) ? Number(sheetRow.version) : null;
  const edited = SHEET_FIELDS.filter((field) => isEdited(sheetRow[field], seen?.[field]));
  const fault = (reason: SheetRefusal, column: string | null, what: string): RowFault => ({
    row,
    id: isUuid(id) ? id : null,
    reason,
    column,
    what,
  });
  if (sheetRow.action === '') {
    // On a break that has moved on, nobody can tell what was edited here and what there.
    const [first] = seen?.version === version ? edited : [];
    return first === undefined
      ? null
      : fault('action_missing', first, 'was edited, but no action says what for');
  }
  if (!isUuid(id)) return fault('row_unreadable', 'id', 'is not the id of a break');
  if (version === null) return fault('row_unreadable', 'version', 'is not the version of a break');
  const action = BREAK_ACTIONS.find((each) => each === sheetRow.action.toLowerCase());
  if (action === undefined)
    return fault('action_unknown', 'action', `is not one of ${BREAK_ACTIONS.join(', ')}`);
  if (seen === undefined) return fault('unknown_break', 'id', 'is the id of no break');
  if (seen.version !== version) return fault('stale', 'version', 'is not that of the break any more');
  for (const column of ['reference', 'status'] as const) {
    if ((sheetRow[column] ?? seen[column]).toLowerCase() !== seen[column].toLowerCase())
      return fault('not_editable', column, 'is not what it was: it shows which break the row is about');
  }
  const { needs, fields } = TAKES[action];
  const foreign = edited.find((field) => !fields.includes(field));
  if (foreign !== undefined)
    return fault('not_of_action', foreign, `was edited, but ${action} does not take it`);
  const cleared = edited.find((field) => sheetRow[field] === '');
  if (cleared !== undefined) return fault('value_missing', cleared, 'was cleared; it can be replaced');
  if (needs !== undefined && lacks(sheetRow, needs, edited))
    return fault('value_missing', needs, `is needed to ${action}`);
  const reason = BREAK_REASONS.find((each) => each === sheetRow.reason);
  if (action === 'propose' && reason === undefined)
    return fault('value_invalid', 'reason', `is not one of ${BREAK_REASONS.join(', ')}`);
  const wrong = edited.find((field) => isWrong(field, sheetRow[field] ?? ''));
  if (wrong !== undefined)
    return fault(
      'value_invalid',
      wrong,
      `is an error of the spreadsheet, or longer than ${String(LONGEST[wrong])} characters`,
    );
  const given = (field: SheetField) => (edited.includes(field) ? (sheetRow[field] ?? null) : null);
  return {
    row,
    id: seen.id,
    version,
    action,
    assignee: action === 'assign' ? (sheetRow.assignee ?? null) : null,
    reason: action === 'propose' ? (reason ?? null) : null,
    comment: given('comment'),
    evidence: given('evidence'),
  };
}

export function isFault(judged: RowChange | RowFault): judged is RowFault {
  return 'what' in judged;
}

/** A comment is needed to reopen: the one that is there already does not say why. */
function lacks(sheetRow: SheetRow, field: SheetField, edited: readonly SheetField[]): boolean {
  return field === 'comment' ? !edited.includes('comment') : (sheetRow[field] ?? '') === '';
}

function isEdited(cell: string | undefined, seen: string | null | undefined): boolean {
  return cell !== undefined && cell !== (seen ?? '').replaceAll('\r\n', '\n').trim();
}

function isWrong(field: SheetField, text: string): boolean {
  return CELL_ERROR.test(text) || text.length > LONGEST[field];
}
