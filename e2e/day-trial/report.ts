import { renderTable } from '../table.ts';
import type { Round } from './round.ts';

/** What is wrong with a day; empty when all of it is right. */
export function faultsOf(round: Round): string[] {
  const { check, open, unexplained, notClosed, auditFaults, sent } = round;
  const counted = [
    ['wallets whose balance is not what the book gives them', check.wrongWallets],
    ['payments that were not credited', check.missing],
    ['deposits that M-PESA knows nothing of', check.strangers],
    ['deposits of another amount', check.wrongAmounts],
    ['breaks that are open', open],
    ['lines or movements that are unexplained', unexplained],
    ['faults that db:audit found', auditFaults],
    [
      'phones that were asked twice though nobody asked again',
      Math.max(0, sent.askedTwice - sent.askedAgain),
    ],
  ] as const;
  return [
    ...counted.flatMap(([what, count]) => (count === 0 ? [] : [`${String(count)} ${what}`])),
    ...check.wrongAccounts,
    ...notClosed.map((reason) => `not closed, ${reason}`),
    ...(check.customersHave === check.bookGives
      ? []
      : [`customers have ${check.customersHave}, not ${check.bookGives}`]),
    ...(check.sum === '0.00' ? [] : [`all balances come to ${check.sum}`]),
    // Otherwise the day was a quiet one, and has shown nothing.
    ...(round.kills === 0 ? ['nothing was killed'] : []),
  ];
}

/** Whether the days came to the same end; what differs otherwise. */
export function differencesOf(rounds: readonly Round[]): string[] {
  const [first, ...others] = rounds.map(({ digest }) => digest);
  if (first === undefined) return [];
  return (['books', 'ledger', 'reports'] as const).flatMap((part) =>
    others.every((other) => other[part] === first[part]) ? [] : [`the ${part} of the days differ`],
  );
}

/** The lines of a table: what happened, and how often in each of the days. */
function linesOf(rounds: readonly Round[]): string[][] {
  const row = (what: string, pick: (round: Round) => number | string) => [
    what,
    ...rounds.map((round) => {
      const value = pick(round);
      return typeof value === 'number' ? value.toLocaleString('en-US') : value;
    }),
  ];
  return [
    row('payments at M-PESA', ({ sent }) => sent.payments),
    row('- by the menu, to the paybill or the till', ({ sent }) => sent.byMenu),
    row('- by a prompt', ({ sent }) => sent.byPrompt),
    row('prompts', ({ sent }) => sent.prompts),
    row('- not paid', ({ sent }) => sent.notPaid),
    row('- asked for again, the first request being lost', ({ sent }) => sent.askedAgain),
    row('events', ({ sent }) => sent.events),
    row('- dropped', ({ sent }) => sent.dropped),
    row('- sent twice at once', ({ sent }) => sent.doubled),
    row('- overtaken by others', ({ sent }) => sent.held),
    row('- repeated, not acknowledged the first time', ({ sent }) => sent.repeated),
    row('processes killed', ({ kills }) => kills),
    row('payments of which no event came', ({ sent }) => sent.untold),
    row('- healed by the Pull API', ({ healed }) => healed.byPull),
    row('- healed by the statement', ({ healed }) => healed.byStatement),
    row('- reported after that', ({ healed }) => healed.tooLate),
    row('given back at M-PESA', ({ sent }) => sent.reversals),
    row('settlements to the bank', ({ sent }) => sent.sweeps),
    row('statement files', ({ statements }) => statements.files),
    row('- lines', ({ statements }) => statements.lines),
    row('- lines seen again', ({ statements }) => statements.repeated),
    row('callbacks in the inbox', ({ check }) =>
      Object.values(check.inbox).reduce((sum, each) => sum + each, 0),
    ),
    ...['CREDITED', 'SUSPENSE', 'DUPLICATE', 'CONFLICT', 'QUARANTINED'].map((outcome) =>
      row(`- ${outcome}`, ({ check }) => check.inbox[outcome] ?? 0),
    ),
    row("M-PESA's book gives customers, KES", ({ check }) => check.bookGives),
    row('customers have, KES', ({ check }) => check.customersHave),
    row('wallets that differ', ({ check }) => check.wrongWallets),
    row('open breaks', ({ open }) => open),
    row('unexplained', ({ unexplained }) => unexplained),
    row('books not closed', ({ notClosed }) => notClosed.length),
    row('faults of db:audit', ({ auditFaults }) => auditFaults),
    row('digest of the books', ({ digest }) => digest.books),
    row('digest of the ledger', ({ digest }) => digest.ledger),
    row('digest of the reports', ({ digest }) => digest.reports),
  ];
}

export function renderRounds(rounds: readonly Round[]): string {
  return renderTable(['', ...rounds.map((_, place) => `day ${String(place + 1)}`)], linesOf(rounds));
}
