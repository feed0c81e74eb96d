import { once } from 'node:events';
import { parseArgs } from 'node:util';
import { behaviourByNumber, usual } from './behaviour.ts';
import { startAfricasTalking } from './server.ts';

/**
 * Runs the simulator as a process of its own, until SIGTERM or SIGINT. It prints its URL once it listens.
 *
 *   node src/africas-talking/main.ts [--port 4011] [--username sandbox] [--api-key simulated-key]
 *     [--report-url http://127.0.0.1:4003/delivery-reports/dev-token] [--delay-ms 0] [--by-number] [--forget]
 *
 * `--by-number` makes numbers with certain endings fail (see `behaviourByNumber`); `--forget` keeps sums only, for
 * long runs. `GET /book` tells what was accepted.
 */
const { values } = parseArgs({
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
const simulator = await startAfricasTalking({
  port: Number(values.port),
  username: values.username,
  apiKey: values['api-key'],
  delayMs: Number(values['delay-ms']),
  reportUrl: values['report-url'] ?? null,
  behaviour: values['by-number'] ? behaviourByNumber : () => usual,
  keepMessages: !values.forget,
});
process.stdout.write(`${simulator.url}\n`);
await Promise.race([once(process, 'SIGTERM'), once(process, 'SIGINT')]);
await simulator.close();
