import { setTimeout as sleep } from 'node:timers/promises';
import { createRandom, darajaSettings } from '@repo/simulator';
import { startProgram } from '../sms-kill-trial/processes.ts';
import type { TrialProcess } from '../sms-kill-trial/processes.ts';

export const TRIAL_KEY = 'trial-key';
export const TRIAL_TOKEN = 'trial-token-of-24-letters';

/** Where M-PESA and the shops think that the service is: in front of the processes, as a load balancer is. */
export const FRONT = 'http://127.0.0.1:1';

type Environment = Readonly<Record<string, string>>;

/** Processes of a service behind one address. */
export interface Nodes extends AsyncDisposable {
  /** Leads a URL of the front to one of the processes that live, to each in turn. */
  readonly route: (url: string) => string;
  /** Kills one process after another, and starts each again, until it is told to end; how many it killed. */
  readonly beginKilling: (options: Killing) => { readonly end: () => Promise<number> };
}

export interface Killing {
  readonly seed: string;
  /** Between two kills, at least and at most. */
  readonly pauseMs: readonly [number, number];
}

interface Node {
  readonly start: () => TrialProcess;
  process: TrialProcess;
  /** Null while it is down. */
  url: string | null;
}

/** Starts a process for each environment, by default of the M-PESA service. */
export async function startNodes(
  environments: readonly [Environment, ...Environment[]],
  path = 'apps/mpesa/src/main.ts',
): Promise<Nodes> {
  const started: TrialProcess[] = [];
  const open = (environment: Environment): Node => {
    const start = (): TrialProcess => {
      const program = startProgram({ path, parameters: [], environment });
      started.push(program);
      return program;
    };
    return { start, process: start(), url: null };
  };
  const [first, ...others] = environments;
  const nodes: readonly [Node, ...Node[]] = [open(first), ...others.map(open)];
  const dispose = async () => void (await Promise.all(started.map((each) => each.kill())));
  const untilUp = async (node: Node): Promise<void> => {
    const url = await node.process.url;
    if (url === '') throw new Error(`a process of ${path} did not start`);
    node.url = url;
  };
  try {
    await Promise.all(nodes.map(untilUp));
  } catch (error) {
    await dispose();
    throw error;
  }
  let turn = 0;

  async function kill(node: Node): Promise<void> {
    // The balancer notices only when connections break: what is under way is sent again to the other one.
    await node.process.kill();
    node.url = null;
    node.process = node.start();
    await untilUp(node);
  }

  return {
    route(url) {
      const alive = nodes.flatMap((node) => node.url ?? []);
      turn += 1;
      return url.replace(FRONT, alive[turn % alive.length] ?? FRONT);
    },
    beginKilling({ seed, pauseMs: [least, most] }) {
      const random = createRandom(`${seed} kills`);
      const ended = new AbortController();
      let kills = 0;
      const working = (async () => {
        while (!ended.signal.aborted) {
          await sleep(least + random.integer(most - least + 1), undefined, { signal: ended.signal }).catch(
            () => undefined,
          );
          if (ended.signal.aborted) return;
          await kill(random.pick(nodes));
          kills += 1;
        }
      })();
      // Looked at when it ends.
      working.catch(() => undefined);
      return {
        async end() {
          ended.abort();
          await working;
          return kills;
        },
      };
    },
    [Symbol.asyncDispose]: dispose,
  };
}

/** The settings of the service, and of the commands that ask M-PESA as it does. */
export function serviceEnvironment({
  databaseUrl,
  darajaUrl,
}: {
  readonly databaseUrl: string;
  readonly darajaUrl: string;
}): Record<string, string> {
  return {
    DATABASE_URL: databaseUrl,
    DATABASE_CONNECTIONS: '6',
    API_KEY: TRIAL_KEY,
    MPESA_CALLBACK_TOKEN: TRIAL_TOKEN,
    MPESA_PORT: '0',
    // The simulator calls from this machine, which is no address of M-PESA.
    MPESA_SOURCE_CHECK: 'off',
    ...darajaSettings({ url: darajaUrl, callbackUrl: FRONT }),
  };
}
