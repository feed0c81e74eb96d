import { Counter, Gauge } from 'prom-client';
import type { Server } from '../server.ts';

type State = 'none' | 'replica' | 'away' | 'late' | 'other';

/** What is shown of a replica: the `Reads` of @repo/db. */
interface FollowedReads {
  look(): Promise<{ readonly state: State; readonly lagMs: number | null }>;
  onChange(listener: (state: State) => void): void;
  readonly answered: { readonly replica: number; readonly primary: number };
}

const WORDS: Readonly<Record<State, string>> = {
  none: 'there is no replica',
  replica: 'lists and reports are read from the replica',
  away: 'the replica does not answer: lists and reports are read from the primary',
  late: 'the replica is later than DATABASE_READ_LAG_MS: lists and reports are read from the primary',
  other:
    'DATABASE_READ_URL leads to a server that is no standby of this primary: lists and reports are read from the primary',
};

/** What is counted of reads. */
interface ReadMetrics {
  readonly lag: Gauge;
  readonly state: Gauge<'state'>;
  readonly answered: Counter<'server'>;
}

/** Shows in the log, once for each change, and in the metrics who answers lists and reports, and how late the replica is. */
export function followReads(
  { app, metrics }: Pick<Server, 'app' | 'metrics'>,
  reads: FollowedReads,
): ReadMetrics {
  reads.onChange((state) => {
    if (state === 'replica') app.log.info({ replica: state }, WORDS[state]);
    else app.log.warn({ replica: state }, WORDS[state]);
  });
  const registers = [metrics];
  // One look for both gauges of one scrape.
  let looking: ReturnType<FollowedReads['look']> | null = null;
  const look = () =>
    (looking ??= reads.look().finally(() => {
      looking = null;
    }));
  const lag = new Gauge({
    name: 'database_replica_lag_seconds',
    help: 'For how long the replica has been without something that the primary has written; absent while nobody knows.',
    registers,
    async collect() {
      const { lagMs } = await look();
      if (lagMs === null) this.remove();
      else this.set(lagMs / 1_000);
    },
  });
  const state = new Gauge({
    name: 'database_replica_state',
    help: '1 for what the replica is: none, replica (in use), away, late, or other (no standby of this primary).',
    labelNames: ['state'],
    registers,
    async collect() {
      const { state: current } = await look();
      for (const each of Object.keys(WORDS)) this.set({ state: each }, each === current ? 1 : 0);
    },
  });
  const answered = new Counter({
    name: 'database_reads_total',
    help: 'Lists, statements and reports by the server that answered them.',
    labelNames: ['server'],
    registers,
    collect() {
      this.reset();
      for (const [server, count] of Object.entries(reads.answered)) this.inc({ server }, count);
    },
  });
  return { lag, state, answered };
}
