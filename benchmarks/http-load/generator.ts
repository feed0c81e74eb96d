import { randomUUID } from 'node:crypto';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { createRandom } from '@repo/simulator';
import type { Customer } from '../data/payments.ts';
import { percentile } from '../lib/percentiles.ts';
import { createEndlessPayments } from '../data/endless-payments.ts';

/** What the process of the senders is told to do; times in milliseconds. */
export interface Orders {
  readonly port: number;
  readonly path: string;
  /** Beside those that every request has. */
  readonly headers: Readonly<Record<string, string>>;
  readonly what: 'confirmations' | 'transfers';
  readonly customers: readonly Customer[];
  /** The place of the first payment: senders that begin where others ended send nothing twice. */
  readonly from: number;
  /** Each is one sender, who sends again as soon as the answer is there. */
  readonly connections: number;
  /** The window opens after this time, when each sender was answered once, or when `warmUpAtMost` is over. */
  readonly warmUp: number;
  readonly warmUpAtMost: number;
  readonly window: number;
}

/** What came of it. */
export interface Answers {
  /** Answers in the window with a status below 300, a second. */
  readonly perSecond: number;
  /** Milliseconds from request to answer, of these. */
  readonly p50: number;
  readonly p99: number;
  readonly worst: number;
  /** Answers in the window with 503, a second, and their p99. */
  readonly refusedPerSecond: number;
  readonly refusedP99: number;
  /** From the first request to the last answer, by status, or by the code of the error that ended a connection. */
  readonly counts: Readonly<Record<string, number>>;
  /** The place of the payment that comes next. */
  readonly next: number;
}

const OVERLOADED = 503;

process.once('message', (orders: Orders) => {
  void report(orders);
});

async function report(orders: Orders): Promise<void> {
  const answers = await sendAll(orders);
  process.send?.(answers, () => process.exit(0));
}

/** Sends from all connections, each again when it has its answer, and resolves when the last answer is there. */
async function sendAll(orders: Orders): Promise<Answers> {
  const { connections } = orders;
  const writeRequest = createRequests(orders);
  const counts: Record<string, number> = {};
  const count = (what: string) => void (counts[what] = (counts[what] ?? 0) + 1);
  const done: number[] = [];
  const refused: number[] = [];
  const everybodyAnswered = Promise.withResolvers<void>();
  let unanswered = connections;
  let phase: 'warming up' | 'measuring' | 'over' = 'warming up';
  let place = orders.from;

  function open(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const socket = connect({ host: '127.0.0.1', port: orders.port, noDelay: true });
    let begun = 0;
    let isFirst = true;
    const send = () => {
      begun = performance.now();
      socket.write(writeRequest(place), 'latin1');
      place += 1;
    };
    readAnswers(socket, (status) => {
      count(String(status));
      if (phase === 'measuring') {
        if (status < 300) done.push(performance.now() - begun);
        else if (status === OVERLOADED) refused.push(performance.now() - begun);
      }
      if (isFirst) unanswered -= 1;
      isFirst = false;
      if (unanswered === 0) everybodyAnswered.resolve();
      if (phase === 'over') socket.end();
      else if (status === OVERLOADED) setTimeout(send, RETRY_AFTER);
      else send();
    });
    socket.on('connect', send);
    socket.on('error', ({ code = 'unknown' }: NodeJS.ErrnoException) => count(code));
    // What the server closes is opened again, as long as there is something to send.
    socket.on('close', () => resolve(phase === 'over' ? undefined : sleep(10).then(open)));
    return promise;
  }

  const sending = Promise.all(Array.from({ length: connections }, open));
  await sleep(orders.warmUp);
  await Promise.race([everybodyAnswered.promise, sleep(orders.warmUpAtMost - orders.warmUp)]);
  phase = 'measuring';
  const opened = performance.now();
  await sleep(orders.window);
  phase = 'over';
  const seconds = (performance.now() - opened) / 1_000;
  const [sorted, sortedRefused] = [done, refused].map((each) => Float64Array.from(each).toSorted()) as [
    Float64Array,
    Float64Array,
  ];
  await sending;
  return {
    perSecond: sorted.length / seconds,
    p50: percentile(sorted, 50),
    p99: percentile(sorted, 99),
    worst: sorted.at(-1) ?? Number.NaN,
    refusedPerSecond: sortedRefused.length / seconds,
    refusedP99: percentile(sortedRefused, 99),
    counts,
    next: place,
  };
}

/** A sender that was told to come again in a second does; milliseconds. */
const RETRY_AFTER = 1_000;

/** The bytes of the request in each place. */
function createRequests({ path, headers, what, customers }: Orders): (place: number) => string {
  const lines = Object.entries({ host: '127.0.0.1', 'content-type': 'application/json', ...headers });
  const head = [`POST ${path} HTTP/1.1`, ...lines.map(([name, value]) => `${name}: ${value}`)].join('\r\n');
  if (what === 'confirmations') {
    const payments = createEndlessPayments(customers);
    return (place) => {
      const body = Buffer.from(payments.at(place).callback.body).toString('latin1');
      return `${head}\r\ncontent-length: ${String(body.length)}\r\n\r\n${body}`;
    };
  }
  const random = createRandom('http-load');
  return () => {
    const first = random.integer(customers.length);
    // Never the same wallet twice.
    const second = (first + 1 + random.integer(customers.length - 1)) % customers.length;
    const [from, to] = [customers[first]?.number, customers[second]?.number];
    const body = JSON.stringify({ from, to, amount: '1.00' });
    return `${head}\r\nidempotency-key: ${randomUUID()}\r\ncontent-length: ${String(body.length)}\r\n\r\n${body}`;
  };
}

/** Calls back with the status of each answer as soon as all of it is there. */
function readAnswers(socket: Socket, onAnswer: (status: number) => void): void {
  let text = '';
  socket.setEncoding('latin1');
  socket.on('data', (chunk) => {
    text += String(chunk);
    for (;;) {
      const end = text.indexOf('\r\n\r\n');
      if (end === -1) return;
      const length = Number(/content-length: (\d+)/i.exec(text.slice(0, end))?.[1] ?? 0);
      if (text.length < end + 4 + length) return;
      const status = Number(text.slice(9, 12));
      text = text.slice(end + 4 + length);
      onAnswer(status);
    }
  });
}
