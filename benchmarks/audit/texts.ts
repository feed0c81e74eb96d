import type { BookSummary } from '@repo/simulator';
import { OLD_SENDER } from '../data/texts.ts';
import { readFacts } from '../lib/facts.ts';
import { requireRules } from './audit.ts';

/**
 * Compares a database whose senders have stopped with the provider's book: every message is sent once or still waits,
 * none is in between, and the costs are the same to the fourth decimal.
 *
 * @param queued how many messages were queued in all
 * @throws BenchmarkError `counts_wrong`
 */
export async function auditTexts(url: string, queued: number, book: BookSummary): Promise<void> {
  const facts = await readFacts(url, FACTS);
  const { sent, waiting, ids, events } = facts;
  const rules = {
    'no message reached the provider twice': book.duplicates === 0 && book.refused === 0,
    'every message is sent or waits': Number(sent) + Number(waiting) === queued,
    'what the provider has accepted is sent': Number(sent) === book.accepted,
    'each has an id of its own': ids === sent,
    'the messages cost what the provider charged': facts['cost'] === book.cost,
    'the day’s spending is what the provider charged':
      facts['spent'] === book.cost && facts['spent_messages'] === sent,
    'nothing was tried again or is unknown': events === '0',
  };
  requireRules(rules, facts, { queued, ...book });
}

const FACTS = `
SELECT count(*) FILTER (WHERE status = 'SENT' AND phase = 'DONE' AND attempts = 1)::text AS sent,
       count(*) FILTER (WHERE phase = 'QUEUED' AND attempts = 0)::text AS waiting,
       count(DISTINCT provider_message_id)::text AS ids,
       coalesce(sum(cost), 0)::numeric(19,4)::text AS cost,
       (SELECT coalesce(sum(cost), 0)::numeric(19,4)::text FROM services.sms_spend) AS spent,
       (SELECT coalesce(sum(messages), 0)::text FROM services.sms_spend) AS spent_messages,
       (SELECT count(*)::text FROM services.sms_events) AS events
  FROM services.sms_logs
 WHERE claimed_by IS DISTINCT FROM '${OLD_SENDER}'`;
