import { Client } from 'pg';
import { BenchmarkError } from '../lib/errors.ts';

/** A node of a plan, as PostgreSQL writes it in JSON. */
interface PlanNode {
  readonly 'Node Type': string;
  readonly 'Relation Name'?: string;
  readonly 'Index Name'?: string;
  readonly 'Actual Rows': number;
  readonly 'Actual Loops': number;
  readonly 'Rows Removed by Filter'?: number;
  readonly 'Rows Removed by Index Recheck'?: number;
  readonly 'Shared Hit Blocks': number;
  readonly 'Shared Read Blocks': number;
  readonly Plans?: readonly PlanNode[];
}

/** How the claim was carried out, by the server's own account. */
export interface ClaimPlan {
  /** One line a node, those within another indented. */
  readonly lines: readonly string[];
  /** Rows of the table that it read, and pages of the table and its indexes that it touched, updates included. */
  readonly rowsRead: number;
  readonly pages: number;
  /** Pages touched to find the messages that are due. */
  readonly pickPages: number;
  readonly milliseconds: number;
}

/** How many messages the claim that is looked at may take. */
export const PLANNED_LIMIT = 1_000;

/** What picks the messages that are due, and what finds the picked ones again to update them. */
const CLAIM_INDEX = 'sms_logs_claim_idx';
const INDEXES: readonly (string | undefined)[] = [CLAIM_INDEX, 'sms_logs_pkey'];

/**
 * Claims messages and takes that back, on a connection of its own, and says how the query inside the deployed function
 * was carried out: not a copy of the query is explained but the one that runs.
 *
 * @throws BenchmarkError `plan_wrong` when it reads anything but what it claims
 */
export async function explainClaim(url: string): Promise<ClaimPlan> {
  const client = new Client({ connectionString: url });
  const notices: string[] = [];
  client.on('notice', ({ message }) => notices.push(message ?? ''));
  await client.connect();
  try {
    await client.query(EXPLAIN_ALL);
    await client.query('BEGIN');
    await client.query(CLAIM);
    await client.query('ROLLBACK');
  } finally {
    await client.end();
  }
  const notice = notices.find((text) => text.includes('WITH picked AS'));
  if (notice === undefined)
    throw new BenchmarkError('plan_wrong', 'the claim has no query of its own any more.');
  return readPlan(notice);
}

function readPlan(notice: string): ClaimPlan {
  const { Plan: root } = JSON.parse(notice.slice(notice.indexOf('{'))) as { readonly Plan: PlanNode };
  const nodes = nodesOf(root);
  const lines = nodes.map((node) => '  '.repeat(node.depth) + describe(node));
  const scans = nodes.filter(
    (node) => node['Relation Name'] === 'sms_logs' && node['Node Type'] !== 'ModifyTable',
  );
  const pick = scans.find((node) => node['Index Name'] === CLAIM_INDEX);
  const rowsRead = scans.reduce((sum, node) => sum + rowsOf(node), 0);
  const isByIndex = scans.every((node) => INDEXES.includes(node['Index Name']));
  // Once to pick a message, once to update it.
  if (pick === undefined || !isByIndex || rowsRead > 2 * PLANNED_LIMIT) {
    throw new BenchmarkError('plan_wrong', `it read ${String(rowsRead)} rows:\n${lines.join('\n')}`);
  }
  const milliseconds = Number(/^duration: ([\d.]+) ms/.exec(notice)?.[1]);
  return { lines, rowsRead, pages: pagesOf(root), pickPages: pagesOf(pick), milliseconds };
}

interface PlacedNode extends PlanNode {
  readonly depth: number;
}

/** The node and all within it. */
function nodesOf(node: PlanNode, depth = 0): PlacedNode[] {
  return [{ ...node, depth }, ...(node.Plans ?? []).flatMap((each) => nodesOf(each, depth + 1))];
}

function rowsOf(node: PlanNode): number {
  const removed = (node['Rows Removed by Filter'] ?? 0) + (node['Rows Removed by Index Recheck'] ?? 0);
  return Math.round((node['Actual Rows'] + removed) * node['Actual Loops']);
}

function pagesOf(node: PlanNode): number {
  return node['Shared Hit Blocks'] + node['Shared Read Blocks'];
}

function describe(node: PlanNode): string {
  const index = node['Index Name'] === undefined ? '' : ` using ${node['Index Name']}`;
  const table = node['Relation Name'] === undefined ? '' : ` on ${node['Relation Name']}`;
  return `${node['Node Type']}${index}${table}: ${String(rowsOf(node))} rows, ${String(pagesOf(node))} pages`;
}

const CLAIM = `
SELECT count(*)
  FROM services.claim_sms('plan', 'africas-talking', ${String(PLANNED_LIMIT)}, 60000, 86400000, NULL, NULL)`;

// The server says how it carried out every statement, also those within a function.
const EXPLAIN_ALL = `
LOAD 'auto_explain';
SET auto_explain.log_min_duration = 0;
SET auto_explain.log_nested_statements = on;
SET auto_explain.log_analyze = on;
SET auto_explain.log_buffers = on;
SET auto_explain.log_timing = off;
SET auto_explain.log_format = json;
SET auto_explain.log_level = notice`;
