import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  canonicalStatus,
  deliveryRank,
  deliveryRanks,
  finalRank,
  isFinal,
  joinDelivery,
} from './delivery-status.ts';

test('the ranks are those of the written rule', () => {
  expect(deliveryRanks).toEqual({
    Sent: 10,
    Submitted: 20,
    Buffered: 30,
    AbsentSubscriber: 40,
    Rejected: 60,
    Failed: 61,
    Expired: 62,
    Success: 100,
  });
  expect(finalRank).toBe(60);
});

test('every status that the provider lists has a rank, and the final ones are final', () => {
  const listed = [
    'Sent',
    'Submitted',
    'Buffered',
    'Rejected',
    'Success',
    'Failed',
    'AbsentSubscriber',
    'Expired',
  ];
  expect(listed.toSorted()).toEqual(Object.keys(deliveryRanks).toSorted());
  expect(listed.filter(isFinal)).toEqual(['Rejected', 'Success', 'Failed', 'Expired']);
});

test('a listed status is kept in its spelling whatever its capitals, and any other as it was sent', () => {
  expect(canonicalStatus('SUCCESS')).toBe('Success');
  expect(canonicalStatus('absentsubscriber')).toBe('AbsentSubscriber');
  expect(canonicalStatus('Teleported')).toBe('Teleported');
  expect(canonicalStatus('toString')).toBe('toString');
});

test('a status that is not listed has rank 0 and is not final', () => {
  for (const status of ['Teleported', '', 'toString']) {
    expect(deliveryRank(status)).toBe(0);
    expect(isFinal(status)).toBe(false);
  }
});

const status = fc.oneof(
  { arbitrary: fc.constantFrom(...Object.keys(deliveryRanks)), weight: 4 },
  fc.constantFrom('Teleported', 'teleported', 'Unknown', ''),
);
const reports = fc.array(status, { maxLength: 8 });
const shown = (each: readonly string[]) => each.reduce<string | null>(joinDelivery, null);

test('whatever the order of arrival and however often each comes, the same status is shown in the end', () => {
  const orders = reports.chain((each) =>
    fc.tuple(fc.constant(each), fc.shuffledSubarray([...each, ...each], { minLength: each.length * 2 })),
  );
  fc.assert(
    fc.property(orders, ([first, second]) => {
      expect(shown(second)).toBe(shown(first));
    }),
    { numRuns: 500 },
  );
});

test('every order of all eight statuses ends with Success, and without it with Expired', () => {
  const others = ['Rejected', 'Failed', 'Expired', 'Sent', 'Buffered', 'AbsentSubscriber', 'Submitted'];
  let orders = 0;
  for (const order of permutations(others)) {
    orders += 1;
    expect(shown(order)).toBe('Expired');
    expect(shown(['Success', ...order])).toBe('Success');
    expect(shown([...order, 'Success'])).toBe('Success');
  }
  expect(orders).toBe(5_040);
});

function* permutations(items: readonly string[]): Generator<string[]> {
  if (items.length === 0) yield [];
  for (const [at, item] of items.entries()) {
    for (const rest of permutations(items.toSpliced(at, 1))) yield [item, ...rest];
  }
}

test('joining is associative, and what is shown never falls in rank', () => {
  const maybe = fc.option(status, { nil: null });
  fc.assert(
    fc.property(maybe, maybe, maybe, (one, two, three) => {
      const left = joinDelivery(joinDelivery(one, two), three);
      expect(left).toBe(joinDelivery(one, joinDelivery(two, three)));
      expect(joinDelivery(left, left)).toBe(left);
      for (const each of [one, two, three]) {
        if (each !== null) expect(deliveryRank(left ?? '')).toBeGreaterThanOrEqual(deliveryRank(each));
      }
    }),
    { numRuns: 500 },
  );
});
