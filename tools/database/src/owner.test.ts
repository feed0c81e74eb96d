import { createDatabase, databaseUrl } from '@repo/postgres/database';
import { Client } from 'pg';
import { expect, inject, test } from 'vitest';
import { deploy } from './deployment.ts';
import { projectAt } from './project.ts';

test('an owner of the database who is no superuser deploys it and records a deposit', async () => {
  const { serverUrl, prefix } = inject('postgres');
  const name = `${prefix}owner`;
  await createDatabase(serverUrl, name);
  const admin = new Client({ connectionString: serverUrl });
  await admin.connect();
  await admin.query(`CREATE ROLE "${name}" LOGIN PASSWORD 'trial'`);
  await admin.query(`ALTER DATABASE "${name}" OWNER TO "${name}"`);
  const url = new URL(databaseUrl(serverUrl, name));
  url.username = name;
  url.password = 'trial';
  try {
    const { exitCode, output } = await deploy({ project: projectAt(), url: url.href, output: 'keep' });
    expect(output).toContain('All migrations have been successfully applied');
    expect(exitCode).toBe(0);

    const owner = new Client({ connectionString: url.href });
    await owner.connect();
    const { rows } = await owner.query<{ outcomes: string[] }>(
      `SELECT outcomes FROM core.post_transactions(ARRAY['R1'], ARRAY['DEPOSIT'], ARRAY['MPESA-FLOAT'],
         ARRAY['SUSPENSE'], NULL, ARRAY[5]::numeric[], ARRAY['KES'], NULL, NULL, NULL)`,
    );
    expect(rows[0]?.outcomes).toEqual(['created']);
    const editing = owner.query(`UPDATE core.wallets SET balance = 0`);
    await expect(editing).rejects.toMatchObject({ code: 'DF003' });
    await owner.end();
  } finally {
    await admin.query(`DROP DATABASE "${name}" WITH (FORCE)`);
    await admin.query(`DROP ROLE "${name}"`);
    await admin.end();
  }
});
