import { randomUUID } from 'node:crypto';
import { expect } from 'vitest';
import type { PaymentService } from '../payments/testing.ts';
import { TEST_KEY, TEST_TOKEN } from '../testing.ts';
import type { TestService } from '../testing.ts';

/** What the service answered a person. */
export interface Answer {
  readonly status: number;
  readonly body: Record<string, unknown>;
}

/** What a person asks for; with an idempotency key of its own where none is given. */
export interface Asked {
  readonly path: string;
  readonly body: unknown;
  readonly key?: string;
}

/** Asks as a person with every scope. */
export async function ask({ url }: TestService, { path, body, key = randomUUID() }: Asked): Promise<Answer> {
  const response = await fetch(`${url}${path}`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${TEST_KEY}`,
      'content-type': 'application/json',
      'idempotency-key': key,
    },
    body: JSON.stringify(body),
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

export const post = (service: TestService, path: string, body: unknown): Promise<Answer> =>
  ask(service, { path, body });

export async function list({ url }: TestService, path: string): Promise<Record<string, unknown>[]> {
  const response = await fetch(`${url}${path}`, { headers: { authorization: `Bearer ${TEST_KEY}` } });
  return ((await response.json()) as { items: Record<string, unknown>[] }).items;
}

/**
 * The callback of a request to a phone, in quarantine; the id of its row.
 *
 * `paymentId`: of the URL that it comes to. Default: it names no payment of ours.
 */
export async function quarantineStk(
  service: PaymentService,
  facts: Readonly<Record<string, unknown>>,
  { paymentId, checkoutRequestId }: { readonly paymentId?: string; readonly checkoutRequestId?: string } = {},
): Promise<string> {
  const path = paymentId === undefined ? 'callback' : `callback/${paymentId}`;
  const response = await fetch(`${service.url}/stk/${TEST_TOKEN}/${path}`, {
    method: 'POST',
    body: stkBody(facts, checkoutRequestId),
  });
  expect(response.status).toBe(200);
  const [callback] = await list(service, '/callbacks?outcome=quarantined');
  expect(callback).toMatchObject({ kind: 'stk_callback' });
  return String(callback?.['id']);
}

export function stkBody(
  facts: Readonly<Record<string, unknown>>,
  checkoutRequestId = 'ws_CO_of_nobody',
): string {
  const items = { MpesaReceiptNumber: 'TKS0000009', Amount: 150, PhoneNumber: 254_700_000_126, ...facts };
  return JSON.stringify({
    Body: {
      stkCallback: {
        CheckoutRequestID: checkoutRequestId,
        ResultCode: 0,
        CallbackMetadata: { Item: Object.entries(items).map(([Name, Value]) => ({ Name, Value })) },
      },
    },
  });
}
