import { parseArgs } from 'node:util';
import { openOwnDatabase } from '../database.ts';
import { readSettings } from '../env.ts';
import { runKillTrial } from './kill-trial.ts';

/**
 * Kills senders of SMS for a minute and shows that no message is sent twice, none is forgotten, and every cent is
 * accounted for. Ends with 1 if one of these is not so.
 *
 *   node e2e/sms-kill-trial/main.ts [--messages 10000] [--seconds 60] [--senders 4] [--delay-ms 40]
 *     [--concurrency 16] [--careless-one-in 25] [--seed any]
 */
const { values } = parseArgs({
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
const say = (line: string) => process.stdout.write(`${line}\n`);
const database = await openOwnDatabase(readSettings());
try {
  const report = await runKillTrial({
    databaseUrl: database.url,
    messages: Number(values.messages),
    seconds: Number(values.seconds),
    senders: Number(values.senders),
    delayMs: Number(values['delay-ms']),
    concurrency: Number(values.concurrency),
    carelessOneIn: Number(values['careless-one-in']),
    seed: values.seed,
    say,
  });
  say(JSON.stringify(report, null, 2));
  const { forgotten, repeatedByNobody, strangers, wrongCosts, costsAgree } = report.audit;
  const isRight = forgotten + repeatedByNobody + strangers + wrongCosts === 0 && costsAgree;
  say(isRight ? 'All of it is right.' : 'WRONG');
  process.exitCode = isRight ? 0 : 1;
} finally {
  await database.close();
}
