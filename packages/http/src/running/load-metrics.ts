import { Counter, Gauge } from 'prom-client';
import type { Registry } from 'prom-client';
import type { HttpProblem } from '../problems/problem.ts';
import type { Connections } from './connections.ts';
import type { Gate } from './gate.ts';

interface Load {
  readonly connections: Pick<Connections, 'open' | 'unread' | 'underWay'>;
  readonly gate: Pick<Gate, 'waiting'>;
}

/**
 * Shows how much a server has in hand, and how much waits outside. The function that it returns counts those who were
 * refused because of it, by the code of the error.
 */
export function addLoadMetrics(
  registry: Registry,
  { connections, gate }: Load,
): (problem: HttpProblem) => void {
  const gauges = [
    ['http_connections', 'Open connections.', () => connections.open],
    [
      'http_connections_unread',
      'Connections from which nothing is read, because as many requests are under way as may.',
      () => connections.unread,
    ],
    ['http_requests_under_way', 'Requests that are read and not answered.', () => connections.underWay],
    ['http_callbacks_waiting', 'Callbacks that are read and wait for room.', () => gate.waiting],
  ] as const;
  for (const [name, help, read] of gauges) {
    void new Gauge({
      name,
      help,
      registers: [registry],
      collect() {
        this.set(read());
      },
    });
  }
  const refusals = new Counter({
    name: 'http_overload_refusals_total',
    help: 'Requests that were answered 503 at once because too many were waiting, by what was full.',
    labelNames: ['code'],
    registers: [registry],
  });
  return ({ code, cause }) => {
    if (code !== 'overloaded') return;
    const full = cause instanceof Error && 'code' in cause ? String(cause.code) : code;
    refusals.inc({ code: full });
  };
}
