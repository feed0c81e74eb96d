import { createSchemaCheck, isDaftariError, listCallbackSources } from '@repo/db';
import { request } from 'undici';
import { createNetworkCheck } from '../networks.ts';
import { findUrlFaults, isRealMoney } from '../daraja/url-rules.ts';
import { findTokenFaults } from '../token-faults.ts';
import { c2bUrls } from './settings.ts';
import type { CommandContext } from './settings.ts';

/** What a check found. A warning needs nobody today; what failed stands in the way of payments or of requests to phones. */
export interface Finding {
  readonly check: string;
  readonly state: 'ok' | 'warning' | 'failed';
  /** What is so and, where it is not as it should be, what to do. Without secrets and numbers of customers. */
  readonly text: string;
}

type Found = readonly Omit<Finding, 'check'>[];

type Check = (context: CommandContext) => Found | Promise<Found>;

/** Looks at everything between M-PESA and the service, one thing after the other. */
export async function runChecks(context: CommandContext): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const [check, run] of CHECKS) {
    findings.push(...(await run(context)).map((found) => ({ check, ...found })));
  }
  return findings;
}

const DAY_MS = 86_400_000;
const LOOKBACK_DAYS = 7;
const TIMEOUT_MS = 10_000;

/** Beyond it a token may end before its time and a request be stamped wrongly; below it nobody notices. */
const CLOCK_WARNING_MS = 5_000;
const CLOCK_FAILURE_MS = 60_000;

const ok = (text: string): Found => [{ state: 'ok', text }];
const warning = (text: string): Found => [{ state: 'warning', text }];
const failed = (text: string): Found => [{ state: 'failed', text }];

/** The database first: the token lies there. */
const CHECKS: readonly (readonly [name: string, check: Check])[] = [
  ['account', checkAccount],
  ['database', checkDatabase],
  ['token', checkToken],
  ['passkey', checkPasskey],
  ['urls', checkUrls],
  ['reachable', checkReachable],
  ['sources', checkSources],
  ['clock', checkClock],
];

function checkAccount({ account, environment }: CommandContext): Found {
  const { baseUrl, shortCode, till, initiator } = account;
  const where = isRealMoney(baseUrl) ? 'production' : `${new URL(baseUrl).host}, no real money`;
  const payee = till === null ? `paybill ${shortCode}` : `till ${till} of store ${shortCode}`;
  const faults = findTokenFaults(environment.MPESA_CALLBACK_TOKEN).flatMap(warning);
  const asks =
    initiator === null
      ? warning(
          'DARAJA_INITIATOR is not set: M-PESA is not asked about receipts that prove nothing, and they wait for a person.',
        )
      : [];
  return [...ok(`${where}: ${payee}`), ...asks, ...faults];
}

async function checkDatabase({ db }: CommandContext): Promise<Found> {
  try {
    await createSchemaCheck(db)();
    return ok('it answers and has the migrations of this release');
  } catch (error) {
    if (!isDaftariError(error)) throw error;
    return failed(`${error.message} (${error.code})`);
  }
}

async function checkToken({ daraja }: CommandContext): Promise<Found> {
  try {
    const token = await daraja.checkToken();
    if (token.kind === 'valid') return ok('M-PESA gives one for the consumer key and secret');
    return token.kind === 'refused'
      ? failed(
          `M-PESA gives none (HTTP ${String(token.status)}): check DARAJA_CONSUMER_KEY and DARAJA_CONSUMER_SECRET, and that they are of the app for this DARAJA_BASE_URL.`,
        )
      : failed(
          `M-PESA cannot be reached (${token.reason}): check DARAJA_BASE_URL, DNS and the way out of this network.`,
        );
  } catch (error) {
    if (!isDaftariError(error)) throw error;
    return failed(`the token of all processes lies in the database, which does not answer (${error.code})`);
  }
}

/** A request that nobody made: M-PESA looks at the passkey before it looks for the request. */
const NO_REQUEST = 'ws_CO_01012020000000000000000000';

async function checkPasskey({ daraja }: CommandContext): Promise<Found> {
  try {
    const { reason } = await daraja.query(NO_REQUEST);
    const asked = reason ?? 'none';
    if (asked === 'wrong_credentials') {
      return failed(
        'M-PESA does not take it: check DARAJA_PASSKEY and DARAJA_SHORT_CODE; for a till the store.',
      );
    }
    if (asked === 'no_such_merchant') {
      return failed('M-PESA knows no such short code: check DARAJA_SHORT_CODE; for a till it is the store.');
    }
    if (asked === 'no_answer_to_query') return failed('M-PESA did not answer: see the token above.');
    return ok('M-PESA takes it for the short code');
  } catch (error) {
    if (!isDaftariError(error)) throw error;
    return failed(`not asked, for there is no token (${error.code})`);
  }
}

function checkUrls({ environment, isProduction }: CommandContext): Found {
  const callbackUrl = environment.DARAJA_CALLBACK_URL;
  if (callbackUrl === undefined) {
    return failed('DARAJA_CALLBACK_URL is not set: M-PESA must be told where it reaches the service.');
  }
  const { confirmationUrl, validationUrl } = c2bUrls(callbackUrl, environment.MPESA_CALLBACK_TOKEN);
  const faults = [confirmationUrl, validationUrl].flatMap((url) => findUrlFaults(url, { isProduction }));
  if (faults.length > 0) return [...new Set(faults)].flatMap(failed);
  return ok('M-PESA would take them; mpesa:register-urls registers them');
}

/** Asks for a path with another token than ours: the service refuses it and stores nothing. */
async function checkReachable({ environment }: CommandContext): Promise<Found> {
  const callbackUrl = environment.DARAJA_CALLBACK_URL;
  if (callbackUrl === undefined) return failed('not tried, for DARAJA_CALLBACK_URL is not set.');
  try {
    const { statusCode, headers, body } = await request(`${callbackUrl}/c2b/no-token/confirmation`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{}',
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    await body.dump();
    if (statusCode === 404 && String(headers['content-type']).startsWith('application/problem+json')) {
      return ok('from here the service answers there. M-PESA calls from the internet: see also the sources');
    }
    if (statusCode >= 300 && statusCode < 400) {
      return failed(
        `HTTP ${String(statusCode)}: the proxy sends callers elsewhere, and M-PESA does not follow.`,
      );
    }
    return failed(
      `HTTP ${String(statusCode)}, and not from the M-PESA service: check DARAJA_CALLBACK_URL and what the proxy does with /c2b.`,
    );
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'no answer in time';
    return failed(
      `nobody answers there (${code}): check DNS, the certificate, the proxy, and that the service runs.`,
    );
  }
}

async function checkSources({ db, environment, isProduction }: CommandContext): Promise<Found> {
  const mode = environment.MPESA_SOURCE_CHECK;
  const isListed = createNetworkCheck(environment.MPESA_SOURCE_ALLOWLIST);
  const size = `${String(environment.MPESA_SOURCE_ALLOWLIST.length)} addresses or networks`;
  try {
    const seen = await listCallbackSources(db, { since: new Date(Date.now() - LOOKBACK_DAYS * DAY_MS) });
    const strange = seen.filter(({ address }) => !isListed(address));
    const others = strange.map(({ address, callbacks }) => `${address} (${String(callbacks)})`).join(', ');
    const found =
      strange.length === 0 ? '' : ` In the last ${String(LOOKBACK_DAYS)} days others have called: ${others}.`;
    if (mode === 'off') {
      return (isProduction ? warning : ok)(
        `MPESA_SOURCE_CHECK is off: nobody looks where callbacks come from.${found}`,
      );
    }
    if (strange.length === 0) {
      const calls = seen.reduce((sum, { callbacks }) => sum + callbacks, 0);
      return ok(
        `${size}, ${mode}; ${String(calls)} callbacks in ${String(LOOKBACK_DAYS)} days, all from them`,
      );
    }
    const advice =
      mode === 'enforce'
        ? ' They are refused: put those that are M-PESA into MPESA_SOURCE_ALLOWLIST.'
        : ' One address for everything is a proxy: set TRUST_PROXY. Put those that are M-PESA into MPESA_SOURCE_ALLOWLIST.';
    return warning(`${size}, ${mode}.${found}${advice}`);
  } catch (error) {
    if (!isDaftariError(error)) throw error;
    return failed(`the inbox cannot be read (${error.code})`);
  }
}

async function checkClock({ account }: CommandContext): Promise<Found> {
  try {
    const before = Date.now();
    const { headers, body } = await request(new URL(account.baseUrl).origin, {
      method: 'GET',
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    const after = Date.now();
    await body.dump();
    const theirs = Date.parse(String(headers['date']));
    if (Number.isNaN(theirs)) return warning("M-PESA's answer has no date to compare with");
    // Theirs has no fractions of a second, and was written at some moment of the exchange.
    const offMs = Math.max(theirs - after, before - theirs - 1_000, 0);
    if (offMs <= CLOCK_WARNING_MS) return ok("it agrees with M-PESA's");
    const text = `it is ${String(Math.round(offMs / 1_000))} seconds off M-PESA's: set it by NTP. Passwords of requests carry the time.`;
    return (offMs > CLOCK_FAILURE_MS ? failed : warning)(text);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'no answer in time';
    return warning(`not compared, for M-PESA does not answer (${code})`);
  }
}
