import type { Client } from 'pg';

export interface Node {
  readonly host: string;
  readonly port: number;
}

/** The nodes that a coordinator knows, itself included where it knows its address. */
export async function readNodes(client: Client): Promise<(Node & { isCoordinator: boolean })[]> {
  const { rows } = await client.query<Node & { isCoordinator: boolean }>(
    `SELECT nodename AS host, nodeport AS port, groupid = 0 AS "isCoordinator"
       FROM pg_dist_node WHERE noderole = 'primary' ORDER BY nodename, nodeport`,
  );
  return rows;
}

/** Reads `host:port` with commas between them. Null when it is something else. */
export function parseNodes(text: string): Node[] | null {
  const nodes = text
    .split(',')
    .map((part) => /^\s*(?<host>[^\s:,]+):(?<port>[0-9]{1,5})\s*$/.exec(part)?.groups);
  if (nodes.some((node) => node === undefined)) return null;
  return nodes.map((node) => ({ host: node?.['host'] ?? '', port: Number(node?.['port']) }));
}
