// openapi: whether apps/<app>/openapi.json is what each service says of itself; with --write writes it. Part of check.
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readCommandLine } from '@repo/command/command-line';
import { runCommand } from '@repo/command/run-command';
import { appNames } from './apps.ts';
import { ROOT, readSettings } from './env.ts';
import { freePorts, startService } from './processes.ts';

const USAGE = `Usage: openapi [--write]

Whether apps/<app>/openapi.json is the OpenAPI description that each service serves at /docs/json. It starts the
services for a moment; they need no database for that. A part of check.

  --write   writes the files

Exit codes: 0 nothing differs, or written, 1 something differs, or a service did not start, 2 the command line cannot
be used.`;

const { values } = readCommandLine(USAGE, { options: { write: { type: 'boolean' } } });

await runCommand(async () => {
  const apps = await appNames();
  const ports = await freePorts(apps.length);
  const descriptions = await Promise.all(apps.map((app, place) => describe(app, ports[place] ?? '0')));
  const stale: string[] = [];
  for (const [place, app] of apps.entries()) {
    const file = `apps/${app}/openapi.json`;
    const description = descriptions[place] ?? '';
    if (values.write === true) await writeFile(join(ROOT, file), description);
    else if ((await readFile(join(ROOT, file), 'utf8').catch(() => '')) !== description) stale.push(file);
  }
  for (const file of stale) {
    process.stderr.write(
      `${file} is not what the service serves: run \`openapi --write\`, read the difference, commit it.\n`,
    );
  }
  return stale.length === 0 ? 0 : 1;
});

/** What a service says of itself. It runs without its database, and with no setting but those it cannot start without. */
async function describe(app: string, port: string): Promise<string> {
  const settings = { ...readSettings(), apiKey: 'described-key', callbackToken: 'described-token' };
  const service = await startService(
    { ...settings, inherited: { PATH: settings.inherited['PATH'] } },
    'postgresql://127.0.0.1:1/none',
    {
      app,
      port,
      readyPath: '/health/live',
      environment: { SMS_CALLBACK_TOKEN: 'described-token', SMS_SENDER: 'off' },
    },
  );
  try {
    const response = await fetch(`${service.url}/docs/json`);
    return `${JSON.stringify(await response.json(), null, 2)}\n`;
  } finally {
    await service.kill();
  }
}
