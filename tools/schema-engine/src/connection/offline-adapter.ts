import { ColumnTypeEnum } from '@prisma/driver-adapter-utils';
import type { SqlDriverAdapter, SqlQuery, SqlResultSet } from '@prisma/driver-adapter-utils';
import { ERRORS } from '../errors.ts';

/** The oldest PostgreSQL that the package is tested with: the engine then uses nothing that a newer one lacks. */
const ASSUMED_VERSION = { text: 'PostgreSQL 15.0', number: 150_000 };

/**
 * Stands in when no datasource URL is configured. The engine asks a server for its version before anything else, also
 * for commands that need no server, such as comparing two schema files; this answers that question and no other.
 */
export function offlineAdapter(): SqlDriverAdapter {
  const refuse = () => Promise.reject(ERRORS.noUrl());
  return {
    provider: 'postgres',
    adapterName: 'schema-engine',
    queryRaw: (query) => (isVersionQuery(query) ? Promise.resolve(assumedVersion()) : refuse()),
    executeRaw: refuse,
    executeScript: refuse,
    startTransaction: refuse,
    getConnectionInfo: () => ({ supportsRelationJoins: true }),
    dispose: () => Promise.resolve(),
  };
}

function isVersionQuery(query: SqlQuery): boolean {
  return query.sql.includes("current_setting('server_version_num')");
}

function assumedVersion(): SqlResultSet {
  return {
    columnNames: ['exists', 'version', 'numeric_version'],
    columnTypes: [ColumnTypeEnum.Boolean, ColumnTypeEnum.Text, ColumnTypeEnum.Int32],
    rows: [[true, ASSUMED_VERSION.text, ASSUMED_VERSION.number]],
  };
}
