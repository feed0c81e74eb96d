// mpesa:register-urls: tells M-PESA where it reports payments.
import { readCommandLine, refuse } from '@repo/command/command-line';
import type { Registered } from '../daraja/registration.ts';
import type { CommandContext } from './settings.ts';

const USAGE = `Usage: mpesa:register-urls [--short-code <number>] [--response-type Completed|Cancelled] [--pull <phone>] [--dry-run]

Tells M-PESA (Daraja, version 2) where it reports the payments to a short code: the confirmation and validation URLs of the
M-PESA service. Says what is registered, with the callback token left out. docs/connecting-mpesa.md explains it.

  --short-code <number>   the paybill or till; default: DARAJA_TILL, or else DARAJA_SHORT_CODE
  --response-type <type>  what M-PESA does when a validation is not answered in time (default: Completed, it takes the payment)
  --pull <phone>          registers the short code for the Pull API as well, with the mobile number that M-PESA knows as the
                          organisation's
  --dry-run               checks the URLs and shows what would be registered

Settings, from the environment or .env:
  DARAJA_CALLBACK_URL     where M-PESA reaches the service: https://pay.example.co.ke
  DARAJA_BASE_URL         https://api.safaricom.co.ke, or https://sandbox.safaricom.co.ke for the sandbox
  MPESA_CALLBACK_TOKEN    part of the URLs
  and what the M-PESA service needs: the account (DARAJA_…), DATABASE_URL with the token that all processes share

Exit codes: 0 registered, or registered before; 1 refused, or it is not known; 2 the command line, the settings or the URLs
cannot be used, and M-PESA was not asked.`;

const ALREADY = [
  'M-PESA has a registration of this short code already and keeps it. Nobody can read which it is: if payments do not arrive,',
  'delete it in the portal (Self Services, URL management) or write to apisupport@safaricom.co.ke, and register again.',
];

const RESPONSE_TYPES = ['Completed', 'Cancelled'] as const;

const { values } = readCommandLine(USAGE, {
  options: {
    'short-code': { type: 'string' },
    'response-type': { type: 'string', default: 'Completed' },
    pull: { type: 'string' },
    'dry-run': { type: 'boolean', default: false },
  },
});

const { findUrlFaults } = await import('../daraja/url-rules.ts');
const { c2bUrls, runDarajaCommand, withoutSecrets } = await import('./settings.ts');
const responseType =
  RESPONSE_TYPES.find((each) => each === values['response-type']) ??
  refuse('--response-type is Completed or Cancelled, spelt exactly so.', USAGE);
if (values['short-code'] !== undefined && !/^\d{5,7}$/.test(values['short-code']))
  refuse('--short-code takes the five to seven digits of a paybill or till.', USAGE);
if (values.pull !== undefined && !/^(?:0|254)[17]\d{8}$/.test(values.pull))
  refuse('--pull takes a mobile number such as 0700000000.', USAGE);

await runDarajaCommand('mpesa:register-urls', async (context) => {
  const { environment, account, daraja } = context;
  const shortCode = values['short-code'] ?? account.till ?? account.shortCode;
  const callbackUrl = environment.DARAJA_CALLBACK_URL;
  if (callbackUrl === undefined) {
    say('DARAJA_CALLBACK_URL is not set: it says where M-PESA reaches the service.');
    return 2;
  }
  const urls = c2bUrls(callbackUrl, environment.MPESA_CALLBACK_TOKEN);
  const faults = [...new Set(Object.values(urls).flatMap((url) => findUrlFaults(url, context)))];
  if (faults.length > 0) {
    faults.forEach(say);
    return 2;
  }
  show(context, { shortCode, ...urls });
  if (values['dry-run']) {
    print('Nothing was registered (--dry-run).');
    return 0;
  }
  const exitCode = report(context, await daraja.registerUrls({ shortCode, responseType, ...urls }));
  if (exitCode !== 0 || values.pull === undefined) return exitCode;
  print('Registering the short code for the Pull API:');
  const pull = { shortCode, nominatedNumber: values.pull, callbackUrl: urls.confirmationUrl };
  return report(context, await daraja.registerPull(pull));
});

interface Shown {
  readonly shortCode: string;
  readonly confirmationUrl: string;
  readonly validationUrl: string;
}

function show(context: CommandContext, { shortCode, confirmationUrl, validationUrl }: Shown): void {
  const where = new URL(context.account.baseUrl).host;
  print(`At ${where}${context.isProduction ? ', by the rules of production' : ''}:`);
  print(`  short code    ${shortCode}`);
  print(`  confirmation  ${withoutSecrets(confirmationUrl, context)}`);
  print(`  validation    ${withoutSecrets(validationUrl, context)}`);
  print(`  no answer     ${responseType}`);
}

/** Says what M-PESA answered, and gives the exit code. */
function report(context: CommandContext, registered: Registered): number {
  if (registered.kind === 'registered') {
    print(`Registered${registered.id === null ? '' : `; M-PESA calls the request ${registered.id}`}.`);
    return 0;
  }
  if (registered.kind === 'already') {
    ALREADY.forEach(print);
    return 0;
  }
  refusalLines(context, registered).forEach(say);
  return 1;
}

function refusalLines(
  context: CommandContext,
  registered: Exclude<Registered, { kind: 'already' | 'registered' }>,
): string[] {
  if (registered.kind === 'taken') {
    return [
      'Another organisation (an aggregator) gets the reports of this short code: ask Safaricom to end that first.',
    ];
  }
  if (registered.kind === 'refused') {
    const { code, text } = registered;
    return [`M-PESA refuses it: ${code} ${withoutSecrets(text, context)}`, adviceAbout(text)];
  }
  return [
    registered.mayBeDone
      ? `The answer was lost (${registered.reason}), so it may be registered. Run the command again.`
      : `M-PESA could not be asked (${registered.reason}). mpesa:doctor says why.`,
  ];
}

function adviceAbout(text: string): string {
  if (/short ?code/i.test(text)) return 'Check the short code, and that it belongs to the app at Daraja.';
  if (/url/i.test(text))
    return 'Check DARAJA_CALLBACK_URL and MPESA_CALLBACK_TOKEN against docs/connecting-mpesa.md.';
  return 'docs/connecting-mpesa.md says what M-PESA asks for.';
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}
