import type { Client } from 'pg';
import type { Check, Finding } from './finding.ts';

interface NodeRow {
  readonly node: string;
  readonly answers: boolean;
  /** Transactions that were prepared long ago. */
  readonly left: number;
}

/** A node that can be reached finishes within a minute what it had prepared elsewhere. */
const LONG = '5 minutes';

/** Whether every node of a distributed database answers, and finishes what was prepared on it. */
export async function checkNodes(client: Client, longerThan = LONG): Promise<Check> {
  const { rows } = await client.query<NodeRow>(
    `SELECT n.nodename || ':' || n.nodeport AS node, r.success AS answers,
            CASE WHEN r.success THEN r.result::integer ELSE 0 END AS left
       FROM run_command_on_all_nodes($1) r JOIN pg_dist_node n USING (nodeid) ORDER BY 1`,
    [
      `SELECT count(*) FROM pg_prepared_xacts WHERE database = current_database() AND prepared < now() - interval '${longerThan}'`,
    ],
  );
  return {
    name: 'nodes',
    summary: `${String(rows.length)} nodes answer and have nothing left that was prepared`,
    findings: rows.flatMap(findingsOf),
  };
}

function findingsOf({ node, answers, left }: NodeRow): Finding[] {
  if (!answers) {
    return [
      {
        severity: 'wrong',
        what: `the node ${node} does not answer`,
        remedy:
          'Start it, or let its standby take over and run citus_update_node. Until then nearly all payments fail.',
      },
    ];
  }
  if (left === 0) return [];
  return [
    {
      severity: 'wrong',
      what: `on the node ${node} ${String(left)} transactions were prepared long ago, and hold their locks`,
      remedy: 'Run SELECT recover_prepared_transactions() on every node.',
    },
  ];
}
