import { once } from 'node:events';
import { readCommandLine, readCount, refuse } from '@repo/command/command-line';
import { createPhone } from '../phone/phone.ts';
import { startDaraja } from './server.ts';

const USAGE = `Usage: daraja [options]

Runs the simulated M-PESA as a process of its own, until SIGTERM or SIGINT. It prints its URL once it listens. A browser
finds a phone to pay with there, and GET /book has every payment that was made.

  --port <port>               where it listens on 127.0.0.1 (default: 0, a free one)
  --seed <text>               the same seed gives the same receipts and fates (default: daraja)
  --short-code <number>       the paybill, or the store of a till (default: 600100)
  --till <number>             the till of the store (default: none)
  --confirmation-url <url>    where payments are reported, until others are registered (default: nowhere)
  --validation-url <url>      where payments are asked about; given, every payment is (default: nowhere)
  --nuisances <n>             how many in 10,000 events are dropped, doubled, overtaken, delayed and varied each (default: 0)

Exit codes: 0 stopped as asked, 1 it failed, 2 the command line cannot be used.`;

const { values } = readCommandLine(USAGE, {
  options: {
    port: { type: 'string', default: '0' },
    seed: { type: 'string', default: 'daraja' },
    'short-code': { type: 'string', default: '600100' },
    till: { type: 'string' },
    'confirmation-url': { type: 'string' },
    'validation-url': { type: 'string' },
    nuisances: { type: 'string', default: '0' },
  },
});
const count = (name: 'port' | 'nuisances', most: number): number =>
  readCount(values[name], { option: `--${name}`, least: 0, most, usage: USAGE });
const confirmationUrl = values['confirmation-url'];
const validationUrl = values['validation-url'];
for (const url of [confirmationUrl, validationUrl]) {
  if (url !== undefined && !URL.canParse(url)) refuse('A URL of the command line is not valid.', USAGE);
}
const share = count('nuisances', 10_000);
const phone = createPhone(() => daraja);

const daraja = await startDaraja({
  port: count('port', 65_535),
  seed: values.seed,
  shortCode: values['short-code'],
  ...(values.till === undefined ? {} : { till: values.till }),
  ...(confirmationUrl === undefined
    ? {}
    : {
        urls: { confirmationUrl, validationUrl: validationUrl ?? '', responseType: 'Completed', version: 2 },
      }),
  isValidated: validationUrl !== undefined,
  nuisances: { drop: share, duplicate: share, reorder: share, delay: share, vary: share },
  async serveFirst(request, response) {
    if (request.method !== 'GET' || request.url !== '/book') return phone.serve(request, response);
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(daraja.book()));
    return true;
  },
});
process.stdout.write(`${daraja.url}\n`);
await Promise.race([once(process, 'SIGTERM'), once(process, 'SIGINT')]);
await daraja.close();
