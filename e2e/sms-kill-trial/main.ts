import { readCommandLine, readCount } from '@repo/command/command-line';
import { runCommand } from '@repo/command/run-command';

const USAGE = `Usage: sms:kill-trial [options]

Kills senders of SMS for a minute and shows that no message is sent twice, none is forgotten, and every cent is
accounted for, on a database of its own.

  --messages <n>         how many messages are sent (default: 10000)
  --seconds <n>          for how long two senders are killed every second (default: 60)
  --senders <n>          processes that send (default: 4)
  --delay-ms <n>         what the simulated provider takes for an answer (default: 40)
  --concurrency <n>      requests under way at once in one sender (default: 16)
  --careless-one-in <n>  of so many messages of unknown outcome one is sent again without a look; 0 for none
                         (default: 25)
  --seed <text>          chooses which sender is killed (default: kill-trial)

Settings, from the environment or .env:
  DATABASE_URL   a server to make that database on, instead of the development server

Exit codes: 0 all of it is right, 1 something is wrong or failed, 2 the command line cannot be used.`;

const { values } = readCommandLine(USAGE, {
  options: {
    messages: { type: 'string', default: '10000' },
    seconds: { type: 'string', default: '60' },
    senders: { type: 'string', default: '4' },
    'delay-ms': { type: 'string', default: '40' },
    concurrency: { type: 'string', default: '16' },
    'careless-one-in': { type: 'string', default: '25' },
    seed: { type: 'string', default: 'kill-trial' },
  },
});

const { openOwnDatabase } = await import('../database.ts');
const { readSettings } = await import('../env.ts');
const { runKillTrial } = await import('./kill-trial.ts');
const count = (name: Exclude<keyof typeof values, 'seed'>, least: number): number =>
  readCount(values[name], { option: `--${name}`, least, most: 10_000_000, usage: USAGE });
const say = (line: string) => process.stdout.write(`${line}\n`);
await runCommand(async () => {
  const options = {
    messages: count('messages', 1),
    seconds: count('seconds', 1),
    senders: count('senders', 1),
    delayMs: count('delay-ms', 0),
    concurrency: count('concurrency', 1),
    carelessOneIn: count('careless-one-in', 0),
    seed: values.seed,
  };
  const database = await openOwnDatabase(readSettings());
  try {
    const report = await runKillTrial({ databaseUrl: database.url, ...options, say });
    say(JSON.stringify(report, null, 2));
    const { forgotten, repeatedByNobody, strangers, wrongCosts, costsAgree } = report.audit;
    const isRight = forgotten + repeatedByNobody + strangers + wrongCosts === 0 && costsAgree;
    say(isRight ? 'All of it is right.' : 'WRONG');
    return isRight ? 0 : 1;
  } finally {
    await database.close();
  }
});
