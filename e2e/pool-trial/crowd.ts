import { startProgram, TRIAL_KEY, TRIAL_TOKEN } from '../sms-kill-trial/processes.ts';
import type { TrialProcess } from '../sms-kill-trial/processes.ts';

export const APPS = ['mpesa', 'wallet', 'sms'] as const;
export type AppName = (typeof APPS)[number];

/** How many processes of each service. */
export type CrowdSize = Readonly<Record<AppName, number>>;

/** A service process that listens. */
export interface Member {
  readonly app: AppName;
  readonly url: string;
  /** Lines of its log that tell of an error. */
  readonly errors: readonly string[];
  readonly stop: TrialProcess['stop'];
  readonly kill: TrialProcess['kill'];
}

/** Service processes that share one pool. */
export interface Crowd extends AsyncDisposable {
  of(app: AppName): readonly Member[];
  readonly members: readonly Member[];
}

export interface CrowdOptions {
  readonly size: CrowdSize;
  /** The database through the pooler. */
  readonly databaseUrl: string;
  /** `DATABASE_CONNECTIONS` of each process. */
  readonly connections: number;
  readonly say: (line: string) => void;
}

/** Processes that start at the same time: each is a second of a processor. */
const STARTING_AT_ONCE = 4;

/**
 * Starts the processes, and waits until each can be used.
 *
 * @throws {Error} when one of them ends instead; the others are ended then
 */
export async function startCrowd(options: CrowdOptions): Promise<Crowd> {
  const { size, say } = options;
  const left = APPS.flatMap((app) => Array.from({ length: size[app] }, () => app));
  const total = left.length;
  const members: Member[] = [];
  const startOnAndOn = async (): Promise<void> => {
    for (let app = left.shift(); app !== undefined; app = left.shift()) {
      members.push(await startMember(app, options));
      if (members.length % 10 === 0) say(`${String(members.length)} of ${String(total)} processes started`);
    }
  };
  const end = async () => void (await Promise.all(members.map((member) => member.stop())));
  try {
    await Promise.all(Array.from({ length: STARTING_AT_ONCE }, startOnAndOn));
  } catch (error) {
    left.length = 0;
    await end();
    throw error;
  }
  return {
    members,
    of: (app) => members.filter((member) => member.app === app),
    [Symbol.asyncDispose]: end,
  };
}

async function startMember(app: AppName, { databaseUrl, connections }: CrowdOptions): Promise<Member> {
  const errors: string[] = [];
  const program = startProgram({
    path: `apps/${app}/src/main.ts`,
    parameters: [],
    environment: {
      DATABASE_URL: databaseUrl,
      DATABASE_POOLER: 'transaction',
      DATABASE_CONNECTIONS: String(connections),
      API_KEY: TRIAL_KEY,
      MPESA_CALLBACK_TOKEN: TRIAL_TOKEN,
      SMS_CALLBACK_TOKEN: TRIAL_TOKEN,
      // The trial calls from this machine, which is no address of M-PESA.
      MPESA_SOURCE_CHECK: 'off',
      [`${app.toUpperCase()}_PORT`]: '0',
    },
    onLine: (line) => {
      if (line.includes('"level":"error"')) errors.push(line);
    },
  });
  const url = await program.url;
  if (url === '') throw new Error(`a process of ${app} ended at its start`);
  return { app, url, errors, stop: () => program.stop(), kill: () => program.kill() };
}
