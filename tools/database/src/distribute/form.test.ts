import { createTestDatabase } from '@repo/postgres/testing';
import { expect, it } from 'vitest';
import { withConnection } from '../connection.ts';
import { expectAlike, openPair } from '../fixtures/both-forms.ts';
import { repository } from '../fixtures/temporary-project.ts';
import { layOutForm } from './form.ts';

// Without Citus the form lies on one server: what its functions say is tried wherever the tests run.
it(
  'the distributed form records whatever is sent as one machine does, and claims each receipt once',
  {
    timeout: 300_000,
  },
  async () => {
    await using plain = await createTestDatabase();
    await using lanes = await createTestDatabase();
    await withConnection(lanes.url, (client) => layOutForm(client, repository.distributed));
    await using pair = await openPair(plain.url, lanes.url);
    await expectAlike(pair, 30);
    const [row] = await lanes.query(
      `SELECT count(*)::int AS logs, count(c.reference)::int AS claimed,
            count(*) FILTER (WHERE c.lane = l.lane)::int AS there, (SELECT count(*)::int FROM lanes.claims) AS claims
       FROM services.mpesa_logs l LEFT JOIN lanes.claims c ON c.reference = l.mpesa_receipt`,
    );
    const logs = Number(row?.['logs']);
    expect(logs).toBeGreaterThan(0);
    expect(row).toEqual({ logs, claimed: logs, there: logs, claims: logs });
  },
);
