import type { AfricasTalkingSimulator } from '@repo/simulator';
import { until } from '@repo/testing/until';
import type { Client } from 'pg';
import { renderTable } from './table.ts';

/** What the database says about the messages, beside what the provider's own book says. */
export interface SmsVerdict {
  readonly lines: readonly string[];
  readonly isRight: boolean;
}

/** Waits until nothing is left to send and every delivery report has come; then compares both books. */
export async function judgeSms(client: Client, provider: AfricasTalkingSimulator): Promise<SmsVerdict> {
  await untilSettled(client);
  await provider.reportsSent();
  const { rows } = await client.query<{
    template: string;
    status: string;
    messages: number;
    delivered: number;
    parts: string;
    cost: string;
    why: string | null;
  }>(
    `SELECT template, status, count(*)::int AS messages, count(delivered_at)::int AS delivered,
            coalesce(sum(parts), 0)::text AS parts, coalesce(sum(cost), 0)::numeric(19,4)::text AS cost,
            min(error_code) AS why
       FROM services.sms_logs GROUP BY template, status ORDER BY template, status`,
  );
  const { rows: totals } = await client.query<{
    sent: number;
    delivered: number;
    waiting: number;
    cost: string;
    example: string;
  }>(
    `SELECT count(*) FILTER (WHERE status = 'SENT')::int AS sent,
            count(delivered_at)::int AS delivered,
            count(*) FILTER (WHERE status = 'PENDING')::int AS waiting,
            coalesce(sum(cost), 0)::numeric(19,4)::text AS cost,
            min(message) FILTER (WHERE template = 'transfer_in') AS example
       FROM services.sms_logs`,
  );
  const { sent = 0, delivered = 0, waiting = -1, cost = '', example = '' } = totals[0] ?? {};
  const book = provider.book();
  const isRight =
    waiting === 0 &&
    sent > 0 &&
    sent === book.accepted &&
    delivered === sent &&
    book.duplicates === 0 &&
    cost === book.cost;
  const table = renderTable(
    ['messages about', 'status', 'messages', 'delivered', 'parts', 'cost KES', 'why not'],
    rows.map((row) => [
      row.template,
      row.status,
      String(row.messages),
      String(row.delivered),
      row.parts,
      row.cost,
      row.why ?? '',
    ]),
  );
  return {
    lines: [
      table,
      '',
      `messages sent: ${String(sent)} for KES ${cost}; in the provider's book: ${String(book.accepted)} for ` +
        `KES ${book.cost}, ${String(book.duplicates)} of them twice`,
      `one of them: “${example}”`,
    ],
    isRight,
  };
}

async function untilSettled(client: Client): Promise<void> {
  const countLeft = async () => {
    const { rows } = await client.query<{ left: number }>(
      `SELECT count(*)::int AS left FROM services.sms_logs WHERE phase IN ('QUEUED', 'SENDING')`,
    );
    return rows[0]?.left;
  };
  await until('no message left to send', countLeft, { isFit: (left) => left === 0 });
}
