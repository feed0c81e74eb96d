import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { createEndlessPayments } from '../sustained/payments.ts';
import { percentile } from '../lib/percentiles.ts';
import type { Customer } from '../data/payments.ts';

/** What the process of the callers is told to do; times in milliseconds. */
export interface Orders {
  readonly host: string;
  readonly port: number;
  readonly path: string;
  readonly customers: readonly Customer[];
  /** The place of the first payment: whoever begins where another ended sends nothing twice. */
  readonly from: number;
  /** Callers, each with a connection of its own, who call again as soon as they have their answer. */
  readonly connections: number;
  /** What is measured begins when each caller was answered once, and this long after the start at the earliest. */
  readonly warmUp: number;
  readonly window: number;
}

/** What came of it. */
export interface Answers {
  readonly perSecond: number;
  /** Milliseconds from request to answer. */
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
  /** Requests answered with 200, warm-up included, and all others by status; `broken` are connections that ended. */
  readonly accepted: number;
  readonly others: Readonly<Record<string, number>>;
  /** Where the payments ended. */
  readonly to: number;
}

const WARM_UP_AT_MOST = 15_000;

process.once('message', (orders: Orders) => {
  void call(orders).then((answers) => {
    process.send?.(answers, () => process.exit(0));
  });
});

async function call(orders: Orders): Promise<Answers> {
  const payments = createEndlessPayments(orders.customers);
  const head = `POST ${orders.path} HTTP/1.1\r\nhost: ${orders.host}\r\naccept: */*\r\ncontent-type: application/json;charset=UTF-8\r\ncontent-length: `;
  const latencies: number[] = [];
  const others: Record<string, number> = {};
  let place = orders.from;
  let accepted = 0;
  let isOver = false;
  let isMeasuring = false;
  let unanswered = orders.connections;
  const everybody = Promise.withResolvers<undefined>();

  function callAgainAndAgain(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const socket = connect({ host: orders.host, port: orders.port, noDelay: true });
    let begun = 0;
    let isFirst = true;
    const send = () => {
      const { body } = payments.at(place).callback;
      place += 1;
      begun = performance.now();
      const text = Buffer.from(body).toString('latin1');
      socket.write(`${head}${String(body.length)}\r\n\r\n${text}`, 'latin1');
    };
    readAnswers(socket, (status) => {
      if (status === 200) accepted += 1;
      else others[status] = (others[status] ?? 0) + 1;
      if (isMeasuring) latencies.push(performance.now() - begun);
      if (isFirst && (unanswered -= 1) === 0) everybody.resolve(undefined);
      isFirst = false;
      if (isOver) socket.end();
      else send();
    });
    socket.on('connect', send);
    socket.on('error', (error: NodeJS.ErrnoException) => {
      const code = error.code ?? 'broken';
      others[code] = (others[code] ?? 0) + 1;
    });
    socket.on('close', () => resolve(isOver ? undefined : sleep(10).then(callAgainAndAgain)));
    return promise;
  }

  const calling = Promise.all(Array.from({ length: orders.connections }, callAgainAndAgain));
  await Promise.all([sleep(orders.warmUp), Promise.race([everybody.promise, sleep(WARM_UP_AT_MOST)])]);
  isMeasuring = true;
  const opened = performance.now();
  await sleep(orders.window);
  isMeasuring = false;
  isOver = true;
  const seconds = (performance.now() - opened) / 1_000;
  const sorted = Float64Array.from(latencies).toSorted();
  await calling;
  return {
    perSecond: sorted.length / seconds,
    p50: percentile(sorted, 50),
    p99: percentile(sorted, 99),
    max: sorted.at(-1) ?? Number.NaN,
    accepted,
    others,
    to: place,
  };
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Calls back with the status of each answer, when it is there as a whole. */
function readAnswers(socket: Socket, onAnswer: (status: number) => void): void {
  let text = '';
  socket.setEncoding('latin1');
  socket.on('data', (chunk: unknown) => {
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
