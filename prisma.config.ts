import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'prisma/config';
import { useSchemaEngine } from './tools/schema-engine/src/config.ts';

// Prisma reads this file before anything else, so what it sets in the environment holds for every command.
const { env } = process;
const root = fileURLToPath(new URL('.', import.meta.url));
const environmentFile = join(root, '.env');
if (existsSync(environmentFile)) process.loadEnvFile(environmentFile);

// What the CLI starts (the schema engine, the seed) runs on the workspace's own Node, however the CLI was started.
const binaries = join(root, 'node_modules', '.bin');
env['PATH'] = env['PATH'] ? `${binaries}${delimiter}${env['PATH']}` : binaries;

// No engine is downloaded. An operator who has a native one names it here.
useSchemaEngine(env, env['DAFTARI_SCHEMA_ENGINE']);

const url = env['DATABASE_URL'];
const shadowDatabaseUrl = env['SHADOW_DATABASE_URL'];

export default defineConfig({
  schema: 'prisma/schema',
  migrations: { path: 'prisma/migrations', seed: 'node tools/database/src/seed.ts' },
  // Without a URL, commands that need no database work, and the others say that it is missing.
  ...(url ? { datasource: { url, ...(shadowDatabaseUrl ? { shadowDatabaseUrl } : {}) } } : {}),
});
