// mpesa:doctor: says what stands between M-PESA and the service.
import { readCommandLine, refuse } from '@repo/command/command-line';
import type { Finding } from './checks.ts';

const USAGE = `Usage: mpesa:doctor [--format text|json]

Says what stands between M-PESA and the service: the account, the database, the access token, the passkey, the callback URLs and
whether they are reached from here, where callbacks have come from, and the clock. Nothing is paid, registered or stored but
the access token, which all processes share.

  --format <format>  text or json (default: text)

Settings, from the environment or .env: those of the M-PESA service.

Exit codes: 0 nothing stands in the way (warnings need nobody today), 1 something does, 2 the command line or the settings
cannot be used.`;

const FORMATS = ['text', 'json'] as const;
const SIGNS = { ok: 'ok  ', warning: 'warn', failed: 'FAIL' } as const;

const { values } = readCommandLine(USAGE, { options: { format: { type: 'string', default: 'text' } } });

const { runChecks } = await import('./checks.ts');
const { runDarajaCommand, withoutSecrets } = await import('./settings.ts');
const format =
  FORMATS.find((each) => each === values.format) ??
  refuse(`--format is one of ${FORMATS.join(', ')}.`, USAGE);

await runDarajaCommand('mpesa:doctor', async (context) => {
  const findings = (await runChecks(context)).map((found) => ({
    ...found,
    text: withoutSecrets(found.text, context),
  }));
  process.stdout.write(`${format === 'json' ? JSON.stringify(findings, null, 2) : lines(findings)}\n`);
  return findings.some(({ state }) => state === 'failed') ? 1 : 0;
});

function lines(findings: readonly Finding[]): string {
  const width = Math.max(...findings.map(({ check }) => check.length));
  return findings
    .map(({ check, state, text }) => `${SIGNS[state]}  ${check.padEnd(width)}  ${text}`)
    .join('\n');
}
