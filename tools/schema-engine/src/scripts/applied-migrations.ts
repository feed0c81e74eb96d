import { Connection } from '../connection/connection.ts';
import type { ConnectionTarget } from '../connection/connection-url.ts';
import { hasState } from '../connection/database-errors.ts';

/** The names of the migrations that a database has; none where nothing was ever deployed. */
export async function appliedMigrations(target: ConnectionTarget): Promise<ReadonlySet<string>> {
  const connection = await Connection.open(target);
  try {
    const { rows } = await connection.query(
      'SELECT migration_name FROM _prisma_migrations WHERE finished_at IS NOT NULL AND rolled_back_at IS NULL',
    );
    return new Set(rows.map(([name]) => String(name)));
  } catch (error) {
    if (hasState(error, '42P01', '3F000')) return new Set();
    throw error;
  } finally {
    await connection.close();
  }
}
