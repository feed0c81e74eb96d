import { paragraph, rounded, table, whole } from '../lib/markdown.ts';
import { smsAim } from './sms-summary.ts';
import type { SmsSummary } from './sms-summary.ts';
import type { Summary } from './summary.ts';

/** The sections of the SMS service. */
export function renderSms({ sms }: Summary): string[] {
  return [
    `## SMS per second\n\n${SMS}\n\n${rateTable(sms)}`,
    `### Aim, in messages recorded per second\n\n${aimTable(sms)}`,
    `### What it takes of the processor\n\n${CORES}\n\n${coresTable(sms)}`,
  ];
}

function rateTable(sms: readonly SmsSummary[]): string {
  return table(
    [
      'the provider takes',
      'senders',
      'slots of each',
      'claimed/s',
      'accepted/s',
      'recorded/s',
      'p50 / p99, ms',
    ],
    sms.map(({ delayMs, senders, slots, claimed, accepted, perSecond, p50, p99 }) => [
      `${whole(delayMs)} ms`,
      whole(senders),
      whole(slots),
      rounded(claimed),
      rounded(accepted),
      `**${rounded(perSecond)}**`,
      `${rounded(p50)} / ${rounded(p99)}`,
    ]),
  );
}

/** An aim that is missed says so, and by how much. */
function aimTable(sms: readonly SmsSummary[]): string {
  return table(
    ['the provider takes', 'senders', 'aim', 'measured', 'slowest to fastest round', ''],
    sms.map(({ delayMs, senders, perSecond, slowest, fastest }) => [
      `${whole(delayMs)} ms`,
      whole(senders),
      whole(smsAim),
      rounded(perSecond),
      `${rounded(slowest)} to ${rounded(fastest)}`,
      perSecond >= smsAim ? 'met' : `missed by ${whole(100 - (100 * perSecond) / smsAim)} %`,
    ]),
  );
}

function coresTable(sms: readonly SmsSummary[]): string {
  const header = [
    'the provider takes',
    'senders',
    'PostgreSQL',
    'senders, together',
    'simulator',
    'whole machine',
  ];
  return table(
    [...header, 'µs a message'],
    sms.map(({ delayMs, senders, perSecond, cores }) => [
      `${whole(delayMs)} ms`,
      whole(senders),
      rounded(cores.postgres),
      rounded(cores.senders),
      rounded(cores.provider),
      rounded(cores.machine),
      rounded(((cores.postgres + cores.senders + cores.provider) / perSecond) * 1_000_000),
    ]),
  );
}

const SMS = paragraph(
  'The SMS service as it is started in earnest, one process or two, with a simulated Africa’s Talking as another',
  'process that answers at once or after 200 ms. The outbox holds more than can be sent; texts and numbers are all',
  'different. **Claimed** and **recorded** are counted by the database’s clock, **accepted** by the provider’s book.',
  'The last column is the time from the claim of a message to the record of its answer. Afterwards the senders stop',
  'and the books are compared: nothing twice, nothing lost, the costs the same to the fourth decimal.',
);

const CORES = paragraph(
  'Cores kept busy in the window, and processor time for one message of PostgreSQL, sender and simulator together. A',
  'provider elsewhere would leave the simulator’s share to the others. The whole machine includes whatever else it did.',
);
