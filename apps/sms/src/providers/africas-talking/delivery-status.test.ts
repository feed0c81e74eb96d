import { expect, test } from 'vitest';
import { deliveryStatusOf } from './delivery-status.ts';

test.each([
  ['Sent', 'accepted'],
  ['Submitted', 'submitted'],
  ['Buffered', 'buffered'],
  ['AbsentSubscriber', 'absent'],
  ['Rejected', 'rejected'],
  ['Failed', 'failed'],
  ['Expired', 'expired'],
  ['Success', 'delivered'],
])('%s means %s, whatever its capitals', (status, state) => {
  for (const word of [status, status.toUpperCase(), status.toLowerCase()]) {
    expect(deliveryStatusOf(word)).toEqual({ state, status });
  }
});

test.each(['Teleported', 'toString', ''])('%j is not listed: it stays as it was sent', (word) => {
  expect(deliveryStatusOf(word)).toEqual({ state: 'unknown', status: word });
});
