/** Where a service is between its start and its end. */
type Phase = 'starting' | 'running' | 'stopping';

/** The phase of one server; it only goes forward. */
export interface Lifecycle {
  readonly phase: Phase;
  /** The server listens. Does nothing once it is stopping. */
  run(): void;
  /** No new work is wanted: readiness answers 503 from now on. */
  stop(): void;
}

export function createLifecycle(): Lifecycle {
  let phase: Phase = 'starting';
  return {
    get phase() {
      return phase;
    },
    run() {
      if (phase === 'starting') phase = 'running';
    },
    stop() {
      phase = 'stopping';
    },
  };
}
