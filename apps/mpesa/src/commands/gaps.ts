// mpesa:gaps: finds payments that M-PESA never reported.
import { readCommandLine, refuse } from '@repo/command/command-line';
import type { Gap } from '@repo/db';
import type { Pulled } from '../gaps/pull-payments.ts';
import type { CommandContext, DatabaseContext } from './settings.ts';

type PulledPayments = Extract<Pulled, { kind: 'pulled' }>;

const USAGE = `Usage: mpesa:gaps [--short-code <number>] [--from <day>] [--to <day>] [--pull] [--heal] [--format text|json]

Finds where payments may be missing, and says what to do: the organisation's balance rises by more than the payments, a short
code that is usually busy is silent, or a payment was found whose callback never came.

  --short-code <number>  of one paybill or till alone
  --from <day>           such as 2026-11-27, of East Africa Time, or a time with its zone; default: a day ago
  --to <day>             the last day, which is included; default: now. At most seven days in all
  --pull                 also asks M-PESA (the Pull API) for the payments of the last 48 hours of the account's short code
  --heal                 with --pull: credits the payments that M-PESA has and the ledger lacks
  --format <format>      text or json (default: text)

Settings, from the environment or .env: those of the M-PESA service.

Exit codes: 0 nothing is missing, 1 something is, 2 the command line or the settings cannot be used, or M-PESA could not be
asked.`;

const PULL_ADVICE =
  'The short code must be registered for the Pull API: mpesa:register-urls --pull <phone>. mpesa:doctor tries the rest.';

const COULD_NOT_RUN = 2;

const FORMATS = ['text', 'json'] as const;
const DAY_MS = 86_400_000;

const { values } = readCommandLine(USAGE, {
  options: {
    'short-code': { type: 'string' },
    from: { type: 'string' },
    to: { type: 'string' },
    pull: { type: 'boolean', default: false },
    heal: { type: 'boolean', default: false },
    format: { type: 'string', default: 'text' },
  },
});

const { costPeriod, createDepositIntake, findGaps, isDaftariError } = await import('@repo/db');
const { receiverOf } = await import('../daraja/settings.ts');
const { pullPayments, REACH_MS } = await import('../gaps/pull-payments.ts');
const { runDarajaCommand, runDatabaseCommand, withoutSecrets } = await import('./settings.ts');
const shortCode = values['short-code'];
if (shortCode !== undefined && !/^\d{3,10}$/.test(shortCode))
  refuse('--short-code takes the three to ten digits of a paybill or till.', USAGE);
if (values.heal && !values.pull) refuse('--heal heals what --pull finds: give both.', USAGE);
const format =
  FORMATS.find((each) => each === values.format) ??
  refuse(`--format is one of ${FORMATS.join(', ')}.`, USAGE);
readPeriod();

if (values.pull) {
  await runDarajaCommand(
    'mpesa:gaps',
    async (context) => {
      const pulled = await pull(context);
      if (pulled.kind === 'pulled') return report(context, pulled);
      const { code, text } = pulled;
      process.stderr.write(
        `M-PESA cannot be asked: ${code} ${withoutSecrets(text, context)}\n${PULL_ADVICE}\n`,
      );
      return COULD_NOT_RUN;
    },
    COULD_NOT_RUN,
  );
} else {
  await runDatabaseCommand('mpesa:gaps', (context) => report(context, null), COULD_NOT_RUN);
}

/** Prints what was found, and gives the exit code. */
async function report({ db }: DatabaseContext, pulled: PulledPayments | null): Promise<number> {
  // Until now, and what was healed just now is in it.
  const gaps = await findGaps(db, { ...readPeriod(), ...(shortCode === undefined ? {} : { shortCode }) });
  process.stdout.write(
    format === 'json' ? `${JSON.stringify({ gaps, pulled }, null, 2)}\n` : textOf(gaps, pulled),
  );
  return gaps.every(({ kind }) => kind === 'missed_callback') && isComplete(pulled) ? 0 : 1;
}

function readPeriod(): { readonly from: Date; readonly to: Date } {
  const to = values.to;
  try {
    const end = costPeriod({ from: '2000-01-01', to }).to;
    const { from } = costPeriod({ from: values.from ?? new Date(end.getTime() - DAY_MS).toISOString(), to });
    if (end.getTime() - from.getTime() <= 7 * DAY_MS) return { from, to: end };
    return refuse('--from and --to are more than seven days apart.', USAGE);
  } catch (error) {
    if (!isDaftariError(error)) throw error;
    return refuse(
      `--${error.field ?? 'from'} cannot be used: take a day such as 2026-11-01, or a time with its zone.`,
      USAGE,
    );
  }
}

async function pull({ account, environment, db, daraja }: CommandContext): Promise<Pulled> {
  const intake = values.heal ? createDepositIntake(db, { maxAmount: environment.MPESA_MAX_AMOUNT }) : null;
  const to = new Date();
  const from = new Date(to.getTime() - REACH_MS);
  try {
    const order = { shortCode: account.shortCode, receiver: receiverOf(account), from, to, intake };
    return await pullPayments({ db, daraja }, order);
  } finally {
    await intake?.close();
  }
}

/** Whether nothing that was pulled waits for a person. */
function isComplete(pulled: PulledPayments | null): boolean {
  if (pulled === null) return true;
  const isHealed = pulled.missing.every(({ outcome }) => outcome !== null && outcome !== 'refused');
  return isHealed && pulled.differing.length === 0 && pulled.unreadable === 0;
}

function textOf(gaps: readonly Gap[], pulled: PulledPayments | null): string {
  const lines = [...(pulled === null ? [] : pulledLines(pulled)), ...gaps.flatMap(gapLines)];
  return `${[...lines, ...(gaps.length === 0 ? ['No gap.'] : [])].join('\n')}\n`;
}

function pulledLines({ rows, unreadable, missing, differing }: PulledPayments): string[] {
  return [
    `M-PESA has ${String(rows)} payments of the last 48 hours; ${String(missing.length)} of them were missing here.`,
    ...missing.map(
      ({ receipt, amount, paidAt, outcome }) =>
        `  ${receipt}  ${amount}  ${paidAt.toISOString()}  ${outcome ?? 'missing: credit it with --heal'}`,
    ),
    ...differing.map(
      (receipt) =>
        `  ${receipt} is recorded with another amount or short code: GET /callbacks?receipt=${receipt}`,
    ),
    ...(unreadable === 0
      ? []
      : [`  ${String(unreadable)} rows cannot be read: compare with the M-PESA portal.`]),
  ];
}

function gapLines({ kind, shortCode: code, from, to, amount, usual, receipts, advice }: Gap): string[] {
  const facts = [
    ...(amount === null ? [] : [`KES ${amount}`]),
    ...(usual === null ? [] : [`usually ${String(usual)} payments`]),
    ...(receipts.length === 0 ? [] : [receipts.join(' to ')]),
  ];
  return [
    `${kind} on ${code}, ${from.toISOString()} to ${to.toISOString()}: ${facts.join(', ')}`,
    `  ${advice}`,
  ];
}
