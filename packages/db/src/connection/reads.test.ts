import { execute } from '@repo/postgres/database';
import { startServer } from '@repo/postgres/server';
import type { Server } from '@repo/postgres/server';
import { startStandby } from '@repo/postgres/standby';
import type { Standby } from '@repo/postgres/standby';
import { until } from '@repo/testing/until';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { createDb } from './db.ts';
import { DaftariError } from '../errors.ts';
import type { Handle } from './handle.ts';
import { createReads } from './reads.ts';
import type { Reads, ReadsState, ReplicaOptions } from './reads.ts';

let primary: Server;
let standby: Standby;

beforeAll(async () => {
  primary = await startServer({ durable: false });
  await execute(primary.url, 'CREATE TABLE numbers (n int)');
  standby = await startStandby(primary, { durable: false });
});

afterAll(async () => {
  await standby.stop();
  await primary.stop();
});

interface Opened {
  readonly reads: Reads;
  readonly states: ReadsState[];
}

function open(options: Partial<ReplicaOptions> = {}): Opened {
  const db = createDb({ url: primary.url });
  const reads = createReads(db, { url: standby.url, answerTimeoutMs: 60_000, ...options });
  const states: ReadsState[] = [];
  reads.onChange((state) => states.push(state));
  onTestFinished(async () => {
    await reads.close();
    await db.close();
  });
  return { reads, states };
}

const MOST = {
  name: 'test_most',
  text: 'SELECT coalesce(max(n), 0)::int AS n, pg_is_in_recovery() AS "onReplica" FROM numbers',
};

const most = async (db: Handle): Promise<unknown> => (await db.run(MOST, []))[0];

let written = 0;

async function write(): Promise<number> {
  written += 1;
  await execute(primary.url, `INSERT INTO numbers VALUES (${String(written)})`);
  return written;
}

async function whilePaused(work: () => Promise<void>): Promise<void> {
  await standby.pause();
  try {
    await work();
  } finally {
    await standby.resume();
  }
}

test('reads are answered by the replica, and what was acknowledged before is never missing', async () => {
  const { reads } = open();
  await reads.look();
  for (let i = 0; i < 50; i += 1) {
    const n = await write();
    expect(await reads.current(most)).toMatchObject({ n });
  }
  await until('a read by the replica', () => reads.current(most), {
    isFit: (row) => (row as { onReplica: boolean }).onReplica,
  });
  expect(reads.answered.replica).toBeGreaterThan(0);
});

test('of a replica that applies nothing, a read of the present goes to the primary; one of a moment ago does not', async () => {
  const { reads, states } = open({ maxLagMs: 600_000 });
  const before = await write();
  await until('the replica has it', () => reads.current(most), {
    isFit: (row) => (row as { onReplica: boolean }).onReplica,
  });
  await whilePaused(async () => {
    const after = await write();
    expect(await reads.current(most)).toEqual({ n: after, onReplica: false });
    expect(await reads.recent(most)).toEqual({ n: before, onReplica: true });
    expect((await reads.look()).lagMs).toBeGreaterThan(0);
  });
  expect(states).toEqual([]);
});

test('a replica that is later than allowed is left, which is said once, and used again when it has caught up', async () => {
  const { reads, states } = open({ maxLagMs: 200 });
  await whilePaused(async () => {
    const n = await write();
    await until('the replica is late', async () => (await reads.look()).state === 'late');
    for (let i = 0; i < 20; i += 1) expect(await reads.recent(most)).toEqual({ n, onReplica: false });
    expect(states).toEqual(['late']);
    expect((await reads.look()).lagMs).toBeGreaterThan(200);
  });
  await until('the replica is used', () => reads.recent(most), {
    isFit: (row) => (row as { onReplica: boolean }).onReplica,
  });
  expect(states).toEqual(['late', 'replica']);
});

test('the lag of a replica that stands still grows, however much is read meanwhile', async () => {
  const { reads } = open({ maxLagMs: 600_000 });
  await reads.look();
  await whilePaused(async () => {
    await write();
    const { lagMs: first } = await reads.look();
    for (let i = 0; i < 100; i += 1) await reads.recent(most);
    for (let i = 0; i < 80; i += 1) await reads.look();
    const { lagMs: last } = await reads.look();
    expect(Number(last) - Number(first)).toBeGreaterThan(1_000);
  });
});

test('a server that is not a standby of this primary is not read', async () => {
  await using stranger = await startServer({ durable: false, hasOwnIdentity: true });
  for (const url of [stranger.url, primary.url]) {
    const { reads, states } = open({ url });
    const n = await write();
    expect(await reads.current(most)).toEqual({ n, onReplica: false });
    expect(await reads.recent(most)).toEqual({ n, onReplica: false });
    expect(states).toEqual(['other']);
    expect(reads.answered).toEqual({ replica: 0, primary: 2 });
  }
});

test('what the work refuses is refused, and what fails on the replica is read from the primary', async () => {
  const { reads } = open();
  await reads.look();
  const refusal = new DaftariError('unknown_wallet');
  let tries = 0;
  const refuse = (): Promise<void> => {
    tries += 1;
    return Promise.reject(refusal);
  };
  await expect(reads.recent(refuse)).rejects.toBe(refusal);
  expect(tries).toBe(1);
  const onPrimaryOnly = { name: 'test_primary_only', text: 'SELECT pg_current_wal_lsn()::text AS lsn' };
  expect(await reads.recent((db) => db.run(onPrimaryOnly, []))).toHaveLength(1);
});

test('without a replica the primary answers', async () => {
  const db = createDb({ url: primary.url });
  const reads = createReads(db);
  const n = await write();
  expect(await reads.current(most)).toEqual({ n, onReplica: false });
  expect(await reads.look()).toEqual({ state: 'none', lagMs: null });
  await db.close();
});

test('when the replica is killed the primary answers, which is said once, and the replica is used when it is back', async () => {
  const own = await startStandby(primary, { durable: false });
  onTestFinished(() => own.stop());
  const { reads, states } = open({ url: own.url });
  await until('a read by the replica', () => reads.current(most), {
    isFit: (row) => (row as { onReplica: boolean }).onReplica,
  });
  await own.kill();
  const n = await write();
  for (let i = 0; i < 20; i += 1) expect(await reads.current(most)).toEqual({ n, onReplica: false });
  expect(states).toEqual(['away']);
  expect((await reads.look()).lagMs).toBeNull();
  await using again = await startServer({ dataDirectory: own.dataDirectory, durable: false, port: own.port });
  expect(again.port).toBe(own.port);
  await until('the replica is used', () => reads.recent(most), {
    isFit: (row) => (row as { onReplica: boolean }).onReplica,
  });
  expect(states).toEqual(['away', 'replica']);
});
