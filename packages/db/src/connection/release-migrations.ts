import { createHash } from 'node:crypto';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

const PLACE = join(import.meta.dirname, '../../../../prisma/migrations');

/**
 * The migrations that this release was made with: their names, each with the checksums under which Prisma may have
 * recorded it, which differ by the line ends of the checkout. Null where the folder is not, as in an image without it.
 */
export function releaseMigrations(place: string = PLACE): ReadonlyMap<string, readonly string[]> | null {
  if (!existsSync(place)) return null;
  const folders = readdirSync(place, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return new Map(
    folders.map(({ name }) => {
      const sql = readFileSync(join(place, name, 'migration.sql'), 'utf8');
      const unix = sql.replaceAll('\r\n', '\n');
      return [name, [unix, unix.replaceAll('\n', '\r\n')].map(checksumOf)];
    }),
  );
}

function checksumOf(sql: string): string {
  return createHash('sha256').update(sql, 'utf8').digest('hex');
}
