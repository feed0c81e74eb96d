import type { Client } from 'pg';

/** One thing in the database that can be there, be missing or differ: a table, a function, a trigger. */
export interface DumpObject {
  readonly kind: string;
  /** As people say it: `core.wallets`, `wallets_pkey on core.wallets`. */
  readonly name: string;
  /** The statements that make it, with every setting that is not the default. */
  readonly sql: string;
}

/** As the catalog queries answer it. */
export interface CatalogObject extends DumpObject {
  /** The schema that it is in, or is. */
  readonly schema: string;
  /** What it comes after, though others of its kind come earlier. */
  readonly after?: 'table' | 'view' | null;
}

/** Reads all objects of one kind, in no order. */
export type Reader = (client: Client) => Promise<CatalogObject[]>;

/** What people call it, and by which dumps are compared: `trigger wallets_open_empty on core.wallets`. */
export function titleOf({ kind, name }: Pick<DumpObject, 'kind' | 'name'>): string {
  return `${kind} ${name}`;
}

// A dump can be run from top to bottom on an empty database: what others are made of comes first.
const ORDER = [
  'extension',
  'schema',
  'type',
  'domain',
  'sequence',
  'function',
  'table',
  'after table',
  'constraint',
  'view',
  'materialized view',
  'after view',
  'index',
  // It may lean on a unique index that is no constraint.
  'foreign key',
  'rule',
  'policy',
  'trigger',
];

/** Sorts by kind, then by name, by code points: the same everywhere, whatever the collation. */
export function compareObjects(a: CatalogObject, b: CatalogObject): number {
  return rankOf(a) - rankOf(b) || compareText(a.kind, b.kind) || compareText(a.name, b.name);
}

function rankOf({ kind, after = null }: CatalogObject): number {
  const rank = ORDER.indexOf(after === null ? kind : `after ${after}`);
  return rank === -1 ? ORDER.length : rank;
}

function compareText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
