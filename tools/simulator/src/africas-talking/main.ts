import { once } from 'node:events';
import { readCommandLine, readCount, refuse } from '@repo/command/command-line';
import { behaviourByNumber, USUAL } from './behaviour.ts';
import { startAfricasTalking } from './server.ts';

const USAGE = `Usage: africas-talking [options]

Runs the simulator as a process of its own, until SIGTERM or SIGINT. It prints its URL once it listens. GET /book tells
what was accepted.

  --port <port>        where it listens on 127.0.0.1 (default: 0, a free one)
  --username <name>    the user (default: sandbox)
  --api-key <key>      the user's key (default: simulated-key)
  --report-url <url>   where delivery reports go (default: nowhere)
  --delay-ms <n>       waited before every answer (default: 0)
  --by-number          makes numbers with certain endings fail (see behaviourByNumber)
  --forget             keeps sums only, for long runs

Exit codes: 0 stopped as asked, 1 it failed, 2 the command line cannot be used.`;

const { values } = readCommandLine(USAGE, {
  options: {
    port: { type: 'string', default: '0' },
    username: { type: 'string', default: 'sandbox' },
    'api-key': { type: 'string', default: 'simulated-key' },
    'report-url': { type: 'string' },
    'delay-ms': { type: 'string', default: '0' },
    'by-number': { type: 'boolean', default: false },
    forget: { type: 'boolean', default: false },
  },
});
const count = (name: 'port' | 'delay-ms', most: number): number =>
  readCount(values[name], { option: `--${name}`, least: 0, most, usage: USAGE });
const reportUrl = values['report-url'] ?? null;
if (reportUrl !== null && !URL.canParse(reportUrl)) refuse('--report-url is no URL.', USAGE);

const simulator = await startAfricasTalking({
  port: count('port', 65_535),
  username: values.username,
  apiKey: values['api-key'],
  delayMs: count('delay-ms', 3_600_000),
  reportUrl,
  behaviour: values['by-number'] ? behaviourByNumber : () => USUAL,
  keepMessages: !values.forget,
});
process.stdout.write(`${simulator.url}\n`);
await Promise.race([once(process, 'SIGTERM'), once(process, 'SIGINT')]);
await simulator.close();
