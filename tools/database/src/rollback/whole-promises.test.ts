import { execute } from '@repo/postgres/database';
import { createTestDatabase } from '@repo/postgres/testing';
import { expect, it } from 'vitest';
import { deploy } from '../deployment.ts';
import { moveMoney } from '../fixtures/money.ts';
import { repository } from '../fixtures/temporary-project.ts';
import { readMigrations } from '../migrations.ts';
import { rollBack } from './roll-back.ts';

const { migrations } = repository;
const names = (await readMigrations(migrations)).map(({ name }) => name);
const before = names[names.findIndex((name) => name.endsWith('_whole_promises')) - 1];

const HELD = `SELECT held::text AS held FROM core.wallets WHERE id = '2048173651'`;

it('a hold with a reserved fee keeps its amount on the way back, and is given back on either side', async () => {
  await using database = await createTestDatabase();
  const { url } = database;
  await moveMoney(url);
  await execute(
    url,
    `SELECT core.set_fee_rule('rule', 'digest', 'WITHDRAWAL', 'KES', 0, 3, 0, 'SENDER', NULL, NULL, 'finance', 'why')`,
  );
  await execute(
    url,
    `SELECT core.place_hold('one', 'digest', '2048173651', 10, NULL, NULL),
            core.place_hold('two', 'digest', '2048173651', 20, NULL, NULL)`,
  );
  expect(await execute(url, HELD)).toEqual([{ held: '36.00' }]);
  const refusal: unknown = await rollBack({ url, migrations, to: before }).catch((error: unknown) => error);
  expect(String(refusal)).toContain('core.holds.fee_held');
  expect(String(refusal)).toContain('core.fee_rule_events');

  await rollBack({ url, migrations, to: before, discardData: true });
  expect(await execute(url, HELD)).toEqual([{ held: '30.00' }]);
  await execute(url, `SELECT core.release_hold(id, 'RELEASED') FROM core.holds WHERE amount = 10`);
  expect(await execute(url, HELD)).toEqual([{ held: '20.00' }]);

  const { exitCode, output } = await deploy({ project: repository, url, output: 'keep' });
  expect(exitCode, output).toBe(0);
  expect(await execute(url, HELD)).toEqual([{ held: '20.00' }]);
  await execute(url, `SELECT core.release_hold(id, 'RELEASED') FROM core.holds WHERE amount = 20`);
  expect(await execute(url, HELD)).toEqual([{ held: '0.00' }]);
});
