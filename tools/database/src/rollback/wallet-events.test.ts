import { execute } from '@repo/postgres/database';
import { createTestDatabase } from '@repo/postgres/testing';
import { describe, expect, it } from 'vitest';
import { deploy } from '../deployment.ts';
import { repository } from '../fixtures/temporary-project.ts';
import { readMigrations } from '../migrations.ts';
import { rollBack } from './roll-back.ts';

const { migrations } = repository;
const names = (await readMigrations(migrations)).map(({ name }) => name);
const before = names[names.findIndex((name) => name.endsWith('_guards_everywhere')) - 1];

async function deployAgain(url: string): Promise<void> {
  const { exitCode, output } = await deploy({ project: repository, url, output: 'keep' });
  expect(exitCode, output).toBe(0);
}

const EVENTS =
  'SELECT changed, old_value, new_value, actor, reason FROM core.wallet_events ORDER BY created_at, id';
const OLD = `INSERT INTO core.wallets (id, holder_name) VALUES ('W', 'Kiosk');
  SELECT core.set_wallet_status('W', 'FROZEN', 'Amina: a lost phone')`;

describe('the migration of the guards', () => {
  it('takes wallets and changes of their status from before along', async () => {
    await using database = await createTestDatabase();
    const { url } = database;
    await rollBack({ url, migrations, to: before });
    await execute(url, OLD);
    await deployAgain(url);
    expect(await execute(url, EVENTS)).toEqual([
      {
        changed: 'status',
        old_value: null,
        new_value: 'FROZEN',
        actor: 'unknown',
        reason: 'Amina: a lost phone',
      },
    ]);
    await execute(url, `SELECT core.set_wallet_status('W', 'ACTIVE', 'found', 'Amina')`);
    expect(await execute(url, `${EVENTS} OFFSET 1`)).toEqual([
      { changed: 'status', old_value: 'FROZEN', new_value: 'ACTIVE', actor: 'Amina', reason: 'found' },
    ]);
  });

  it('is walked back only when it may forget what changed besides the status', async () => {
    await using database = await createTestDatabase();
    const { url } = database;
    await execute(
      url,
      `SELECT core.open_wallet('W', 'Otieno', '0712345678'), core.change_wallet('W', NULL, '', NULL, 'given up'),
              core.set_wallet_status('W', 'FROZEN', 'a lost phone')`,
    );
    const refusal: unknown = await rollBack({ url, migrations, to: before }).catch((error: unknown) => error);
    expect(String(refusal)).toContain('1 row of core.wallet_events');
    await rollBack({ url, migrations, to: before, discardData: true });
    expect(await execute(url, 'SELECT status, note FROM core.wallet_events')).toEqual([
      { status: 'FROZEN', note: 'a lost phone' },
    ]);
  });
});
