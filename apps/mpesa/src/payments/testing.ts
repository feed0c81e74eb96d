import { randomUUID } from 'node:crypto';
import { confirmationOf, createPayment, createRandom, sendConfirmation, startDaraja } from '@repo/simulator';
import type { DarajaOptions, DarajaSimulator } from '@repo/simulator';
import { until } from '@repo/testing/until';
import type { DarajaSettings } from '../daraja/settings.ts';
import type { AppSettings } from '../dependencies.ts';
import { startTestService, TEST_KEY } from '../testing.ts';
import type { TestService } from '../testing.ts';
import type { PaymentTimings } from './timings.ts';

/** The service with a simulated Daraja behind it. */
export interface PaymentService extends TestService {
  readonly daraja: DarajaSimulator;
}

/** Due at once, so that tests wait for nothing. */
const QUICK: Partial<PaymentTimings> = { pauseMs: 10, firstRetryMs: 1 };

/** The account that a simulator takes by default. */
export function accountAt(
  daraja: Pick<DarajaSimulator, 'url' | 'shortCode'>,
  more: Partial<DarajaSettings> = {},
): DarajaSettings {
  return {
    baseUrl: daraja.url,
    consumerKey: 'simulated-key',
    consumerSecret: 'simulated-secret',
    shortCode: daraja.shortCode,
    till: null,
    passkey: 'simulated-passkey',
    initiator: null,
    ...more,
  };
}

export async function startPaymentService(
  options: {
    readonly simulator?: DarajaOptions;
    readonly account?: Partial<DarajaSettings>;
    readonly settings?: Partial<AppSettings>;
    readonly timings?: Partial<PaymentTimings>;
  } = {},
): Promise<PaymentService> {
  const daraja = await startDaraja(options.simulator ?? {});
  const service = await startTestService(options.settings, {
    daraja: accountAt(daraja, options.account),
    timings: { ...QUICK, ...options.timings },
  });
  return {
    ...service,
    daraja,
    [Symbol.asyncDispose]: async () => {
      await daraja.close();
      await service[Symbol.asyncDispose]();
    },
  };
}

let keys = 0;

/** Asks the service for a payment; what is not given is ordinary. */
export async function postPayment(
  service: Pick<TestService, 'url'>,
  body: Readonly<Record<string, unknown>>,
  key?: string,
): Promise<{ readonly status: number; readonly body: Record<string, unknown> }> {
  keys += 1;
  const response = await fetch(`${service.url}/payments`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${TEST_KEY}`,
      'content-type': 'application/json',
      'idempotency-key': key ?? `payment-${String(keys)}`,
    },
    body: JSON.stringify({ amount: '150', phone: '0700000126', ...body }),
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

export async function getPayment(
  service: Pick<TestService, 'url'>,
  id: unknown,
): Promise<Record<string, unknown>> {
  const response = await fetch(`${service.url}/payments/${String(id)}`, {
    headers: { authorization: `Bearer ${TEST_KEY}` },
  });
  return (await response.json()) as Record<string, unknown>;
}

/** Waits until a payment has a status, and gives it. */
export async function untilStatus(
  service: Pick<TestService, 'url'>,
  id: unknown,
  status: string,
): Promise<Record<string, unknown>> {
  return until(`a payment that is ${status}`, () => getPayment(service, id), {
    isFit: (payment) => payment['status'] === status,
    show: (payment) => payment['status'],
  });
}

/** The kinds of the events of a payment. */
export function eventKinds(payment: Readonly<Record<string, unknown>>): unknown[] {
  return (payment['events'] as { kind: string }[]).map(({ kind }) => kind);
}

/** The phone that `postPayment` asks. */
const PHONE = '254700000126';

const random = createRandom('payments/testing');

/** A payment that is paid, and whose confirmation names another wallet. */
export async function payContradicted(
  service: PaymentService,
  { wallet, other }: { readonly wallet: string; readonly other: string },
): Promise<{ readonly id: string; readonly receipt: string }> {
  const { body } = await postPayment(service, { wallet });
  await service.daraja.answerPrompt(PHONE, 'paid');
  const receipt = service.daraja.book().payments.at(-1)?.receipt ?? '';
  const { shortCode } = service.daraja;
  const payment = createPayment(random, {
    account: other,
    amount: '150.00',
    receipt,
    phone: PHONE,
    shortCode,
  });
  await sendConfirmation(service.target, confirmationOf(payment, 'masked'));
  return { id: String(body['id']), receipt };
}

/** What a test may say of a decision; the rest is ordinary. Null: without it. */
export interface AskedDecision {
  readonly body?: unknown;
  readonly authorization?: string | null;
  readonly idempotencyKey?: string | null;
}

/** Posts what a person decides about a payment. */
export async function postDecision(
  service: Pick<TestService, 'url'>,
  path: string,
  asked: AskedDecision = {},
): Promise<{ readonly status: number; readonly body: Record<string, unknown> }> {
  const { body = { reason: 'The payer says so.' }, authorization = TEST_KEY } = asked;
  const { idempotencyKey = randomUUID() } = asked;
  const response = await fetch(`${service.url}${path}`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...(authorization === null ? {} : { authorization: `Bearer ${authorization}` }),
      ...(idempotencyKey === null ? {} : { 'idempotency-key': idempotencyKey }),
    },
    body: JSON.stringify(body),
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}
