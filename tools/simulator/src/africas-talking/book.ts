import { hash, randomBytes } from 'node:crypto';

/** A message that was accepted, whatever its sender got to know of it. */
export interface BookedMessage {
  readonly id: string;
  readonly recipient: string;
  readonly text: string;
  readonly parts: number;
  /** Decimal string of KES with four decimals. */
  readonly cost: string;
}

/** What was accepted in all. */
export interface BookSummary {
  /** Messages to one recipient each. */
  readonly accepted: number;
  readonly parts: number;
  /** Decimal string of KES with four decimals. */
  readonly cost: string;
  /** Acceptances beyond the first of the same text to the same recipient: 0 if nothing was sent twice. */
  readonly duplicates: number;
  /** Accepted, but the sender got no answer that says so. */
  readonly untold: number;
  /** Requests to send, whatever became of them. */
  readonly requests: number;
  /** Recipients that were refused in an answer of 201. */
  readonly refused: number;
  readonly reportsSent: number;
  readonly reportsFailed: number;
}

/** Keeps account of what was accepted. */
export interface Book {
  accept(message: { recipient: string; text: string; parts: number; tenThousandths: number }): BookedMessage;
  count(what: 'untold' | 'requests' | 'refused' | 'reportsSent' | 'reportsFailed'): void;
  summary(): BookSummary;
  /** The messages in the order of acceptance; empty if they are not kept. */
  readonly messages: readonly BookedMessage[];
  /** Ten-thousandths of KES. */
  readonly total: bigint;
}

/** Writes ten-thousandths of KES as a decimal string: `8000n` is `0.8000`. */
export function formatCost(tenThousandths: bigint | number): string {
  const sign = tenThousandths < 0 ? '-' : '';
  const digits = String(tenThousandths).replace('-', '').padStart(5, '0');
  return `${sign}${digits.slice(0, -4)}.${digits.slice(-4)}`;
}

/** Opens an empty book. `keepMessages: false` keeps digests only, for runs of millions. */
export function openBook({ keepMessages }: { keepMessages: boolean }): Book {
  // Ids of another run of the simulator must not come again.
  const run = randomBytes(8).toString('hex');
  const seen = new Set<string>();
  const messages: BookedMessage[] = [];
  const counts = { untold: 0, requests: 0, refused: 0, reportsSent: 0, reportsFailed: 0 };
  let accepted = 0;
  let parts = 0;
  let duplicates = 0;
  let total = 0n;

  return {
    accept({ recipient, text, parts: length, tenThousandths }) {
      accepted += 1;
      parts += length;
      total += BigInt(tenThousandths);
      const digest = hash('sha1', `${recipient}\n${text}`, 'base64');
      if (seen.has(digest)) duplicates += 1;
      else seen.add(digest);
      const id = `ATXid_${run}${accepted.toString(16).padStart(16, '0')}`;
      const message = { id, recipient, text, parts: length, cost: formatCost(tenThousandths) };
      if (keepMessages) messages.push(message);
      return message;
    },
    count(what) {
      counts[what] += 1;
    },
    summary: () => ({ accepted, parts, cost: formatCost(total), duplicates, ...counts }),
    messages,
    get total() {
      return total;
    },
  };
}
