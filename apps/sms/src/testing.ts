import { createDb, findSms } from '@repo/db';
import type { Db, Sms } from '@repo/db';
import { stopServer } from '@repo/http';
import type { Server } from '@repo/http';
import { startDatabaseProxy } from '@repo/postgres/proxy';
import type { DatabaseProxy } from '@repo/postgres/proxy';
import { createTestDatabase } from '@repo/postgres/testing';
import { startAfricasTalking } from '@repo/simulator';
import type { AfricasTalkingSimulator } from '@repo/simulator';
import { shared } from '@repo/testing/shared';
import { until } from '@repo/testing/until';
import { Registry } from 'prom-client';
import { createApp } from './app.ts';
import type { AppSettings } from './dependencies.ts';
import { createAfricasTalking } from './providers/africas-talking/client.ts';
import { AFRICAS_TALKING_CALLBACKS } from './providers/africas-talking/reports.ts';
import type { Provider } from './providers/provider.ts';
import type { SenderSettings } from './sender/sender.ts';
import { startSending } from './sender/start-sending.ts';

export const TEST_TOKEN = 'V1StGXR8Z5jdHi6BmyT0kL9w';
export const TEST_KEY = 'test-key';

/** What a test says of a request; the key is the configured one unless it says another. */
interface TestRequest {
  readonly method?: 'POST' | 'PUT';
  readonly key?: string | null;
  /** JSON, unless it is bytes or text already. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

interface TestAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Readonly<Record<string, unknown>>;
}

/** The service on a free port over a database of its own, with everything a test wants to look at. */
export interface TestService extends AsyncDisposable {
  readonly url: string;
  readonly db: Db;
  readonly server: Server;
  /** Everything the service logged. */
  readonly lines: string[];
  /** Cuts the service off from its database, and lets it back in. */
  readonly network: DatabaseProxy;
  /** The provider, as far away as one is. */
  readonly simulator: AfricasTalkingSimulator;
  /** Starts another sender beside those that run; `stop` ends it in order. */
  send(settings?: TestSenderSettings): { stop(graceMs?: number): Promise<void> };
  /** Looks into the database past the service. */
  query(sql: string): Promise<Record<string, unknown>[]>;
  fetch(path: string, request?: TestRequest): Promise<Response>;
  ask(path: string, request?: TestRequest): Promise<TestAnswer>;
  /** The value of a metric, with its labels as they are printed; null when it is not there. */
  metric(name: string): Promise<number | null>;
}

interface TestSenderSettings extends Partial<SenderSettings> {
  readonly provider?: Provider;
}

const TEST_SETTINGS: AppSettings = {
  apiKey: TEST_KEY,
  callbackToken: TEST_TOKEN,
  keyCacheMs: 60_000,
  logLevel: 'trace',
};

let senders = 0;

/** Quick where the service is patient, so that no test waits for long, and patient where a busy machine is slow. */
function testSender(): SenderSettings {
  senders += 1;
  return {
    name: `sender-${String(senders)}`,
    concurrency: 16,
    leaseMs: 300_000,
    timeoutMs: 120_000,
    maxAgeMs: 3_600_000,
    pollMs: 50,
    retry: { backOff: { firstMs: 10, longestMs: 40 }, maxAttempts: 4 },
    circuit: { failures: 3, firstPauseMs: 20, longestPauseMs: 40 },
  };
}

export async function startTestService(settings: Partial<AppSettings> = {}): Promise<TestService> {
  const database = await createTestDatabase();
  const network = await startDatabaseProxy(database.url);
  const db = createDb({ url: network.url, connectTimeoutMs: 60_000 });
  const lines: string[] = [];
  const { server, metrics } = await createApp(
    { db, callbacks: AFRICAS_TALKING_CALLBACKS, settings: { ...TEST_SETTINGS, ...settings } },
    { logDestination: { write: (line) => lines.push(line) } },
  );
  const url = await server.app.listen({ host: '127.0.0.1', port: 0 });
  const simulator = await startAfricasTalking({ reportUrl: null });
  const endings: (() => Promise<void>)[] = [];
  const service: TestService = {
    url,
    db,
    server,
    lines,
    network,
    simulator,
    send({ provider: given, ...changes } = {}) {
      const provider = given ?? openProvider(simulator.url);
      // What a second sender counts would be in the way of what the first one does.
      const own = endings.length === 0 ? server : { ...server, metrics: new Registry() };
      const deps = { db, server: own, provider, metrics };
      const sending = startSending(deps, { ...testSender(), ...changes });
      let ended: Promise<void> | null = null;
      const stop = (graceMs = 120_000) => (ended ??= sending.close(graceMs).then(() => provider.close()));
      endings.push(stop);
      return { stop };
    },
    query: database.query,
    fetch: (path, request) => ask(url, path, request),
    async ask(path, request) {
      const response = await ask(url, path, request);
      const body = (await response.json()) as TestAnswer['body'];
      return { status: response.status, headers: response.headers, body };
    },
    async metric(name) {
      const text = await server.metrics.metrics();
      const line = text.split('\n').find((each) => each.startsWith(`${name} `));
      return line === undefined ? null : Number(line.slice(name.length + 1));
    },
    async [Symbol.asyncDispose]() {
      network.restore();
      await Promise.all(endings.map((end) => end()));
      await stopServer(server);
      await simulator.close();
      await db.close();
      await network[Symbol.asyncDispose]();
      await database.drop();
    },
  };
  return service;
}

/** One service for all tests of a file. */
export const useTestService = (): TestService => shared(() => startTestService());

/** A client of the simulator, as the service has one. */
export function openProvider(url: string, timeoutMs = 120_000): Provider {
  return createAfricasTalking({ baseUrl: url, username: 'sandbox', apiKey: 'simulated-key', timeoutMs });
}

function ask(url: string, path: string, request: TestRequest = {}): Promise<Response> {
  const { method = 'GET', key = TEST_KEY, body, headers } = request;
  const isRaw = typeof body === 'string' || body instanceof Uint8Array;
  return fetch(`${url}${path}`, {
    method,
    headers: {
      ...(key === null ? {} : { authorization: `Bearer ${key}` }),
      ...(body === undefined || isRaw ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: isRaw ? (body as string) : JSON.stringify(body) }),
  });
}

let numbers = 0;

/** A number that no other test of this process has; `ending` chooses what the simulator does with it. */
export function newNumber(ending?: string): string {
  numbers += 1;
  return ending === undefined
    ? `2547${String(10_000_000 + numbers)}`
    : `2547${String(1_000 + numbers).padStart(4, '0')}${ending}`;
}

/** Waits until the message is as the test expects. */
export async function untilSms(
  { db }: Pick<TestService, 'db'>,
  id: string,
  isExpected: (sms: Sms) => boolean,
): Promise<Sms> {
  let last: Sms | null = null;
  return until(
    `message ${id} as the test expects it`,
    async () => {
      last = await findSms(db, id);
      return last !== null && isExpected(last) ? last : null;
    },
    { show: () => last && stateOf(last) },
  );
}

/** What of a message may be printed. */
function stateOf({ phase, status, attempts, errorCode, deliveryStatus }: Sms) {
  return { phase, status, attempts, errorCode, deliveryStatus };
}

/** Waits until the service has logged a line with these words. */
export async function untilLogged({ lines }: Pick<TestService, 'lines'>, words: string): Promise<void> {
  await until(`a line of the log with "${words}"`, () => lines.join(''), {
    isFit: (log) => log.includes(words),
    show: (log) => log.slice(-500),
  });
}

/** Waits until the simulated provider has accepted so many messages. */
export async function untilAccepted(
  { simulator }: Pick<TestService, 'simulator'>,
  count: number,
): Promise<void> {
  const isFit = (accepted: number) => accepted === count;
  await until(`${String(count)} messages accepted`, () => simulator.book().accepted, { isFit });
}

/** Waits until a metric is as the test expects. */
export async function untilMetric(
  service: Pick<TestService, 'metric'>,
  name: string,
  isExpected: (value: number) => boolean,
): Promise<void> {
  const isFit = (value: number | null) => value !== null && isExpected(value);
  await until(`the expected value of ${name}`, () => service.metric(name), { isFit });
}

export const isDone = (sms: Sms) => sms.phase === 'DONE';
export const isUnknown = (sms: Sms) => sms.phase === 'UNKNOWN';
