import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createCircuit } from './circuit.ts';
import type { Verdict } from './circuit.ts';

/** A circuit with a clock that the test moves. */
function startCircuit(options = {}) {
  const clock = { now: 0 };
  const circuit = createCircuit({
    failures: 3,
    firstPauseMs: 1_000,
    longestPauseMs: 8_000,
    now: () => clock.now,
    ...options,
  });
  return { clock, circuit };
}

function fail(circuit: ReturnType<typeof createCircuit>, times: number): void {
  for (let i = 0; i < times; i += 1) circuit.report(circuit.begin(), 'fails');
}

test('it opens after so many failures in a row, and not before', () => {
  const { circuit } = startCircuit();
  fail(circuit, 2);
  expect(circuit.state).toBe('closed');
  expect(circuit.allowance).toBe(Number.POSITIVE_INFINITY);
  fail(circuit, 1);
  expect(circuit.state).toBe('open');
  expect(circuit.allowance).toBe(0);
});

test('one success among failures sets the count back', () => {
  const { circuit } = startCircuit();
  fail(circuit, 2);
  circuit.report(circuit.begin(), 'works');
  fail(circuit, 2);
  expect(circuit.state).toBe('closed');
});

test('after its pause it lets one request through, and closes when that succeeds', () => {
  const { clock, circuit } = startCircuit();
  fail(circuit, 3);
  clock.now += circuit.waitMs ?? 0;
  expect([circuit.state, circuit.allowance]).toEqual(['half_open', 1]);
  const probe = circuit.begin();
  expect([circuit.allowance, circuit.waitMs]).toEqual([0, null]);
  circuit.report(probe, 'works');
  expect([circuit.state, circuit.allowance]).toEqual(['closed', Number.POSITIVE_INFINITY]);
});

test('when the one request fails, the next pause is longer, up to the longest', () => {
  const { clock, circuit } = startCircuit();
  fail(circuit, 3);
  const longest = [1_000, 2_000, 4_000, 8_000, 8_000];
  for (const most of longest) {
    const pause = circuit.waitMs ?? 0;
    expect(pause).toBeGreaterThanOrEqual(most / 2);
    expect(pause).toBeLessThanOrEqual(most);
    clock.now += pause;
    fail(circuit, 1);
    expect(circuit.state).toBe('open');
  }
});

test('a provider that asks for fewer requests is left alone for as long as it asks, at once', () => {
  const { circuit } = startCircuit();
  circuit.report(circuit.begin(), 'fails', 30_000);
  expect([circuit.state, circuit.waitMs]).toEqual(['open', 30_000]);
});

test('nobody can stop the sending for hours by asking', () => {
  const { circuit } = startCircuit();
  circuit.report(circuit.begin(), 'fails', 86_400_000);
  expect(circuit.waitMs).toBe(600_000);
});

test('what left before it opened neither closes it nor lengthens its pause', () => {
  const { circuit } = startCircuit();
  const early = [circuit.begin(), circuit.begin()] as const;
  fail(circuit, 3);
  const pause = circuit.waitMs;
  circuit.report(early[0], 'works');
  circuit.report(early[1], 'fails', 500_000);
  expect([circuit.state, circuit.waitMs]).toEqual(['open', pause]);
});

test('a probe that never asked the provider leaves the place to another', () => {
  const { clock, circuit } = startCircuit();
  fail(circuit, 3);
  clock.now += circuit.waitMs ?? 0;
  circuit.report(circuit.begin(), 'nothing');
  expect([circuit.state, circuit.allowance]).toEqual(['half_open', 1]);
});

const verdicts = fc.constantFrom<Verdict>('works', 'fails', 'nothing');

test('whatever happens, there is a way on: a slot, a time to wait for, or a request under way', () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant('begin' as const) }),
    fc.record({ kind: fc.constant('answer' as const), verdict: verdicts }),
    fc.record({ kind: fc.constant('time' as const), ms: fc.integer({ min: 1, max: 10_000 }) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const { clock, circuit } = startCircuit();
      const underWay: number[] = [];
      for (const each of steps) {
        if (each.kind === 'time') clock.now += each.ms;
        else if (each.kind === 'begin' && circuit.allowance > 0) underWay.push(circuit.begin());
        else if (each.kind === 'answer') {
          const ticket = underWay.shift();
          if (ticket !== undefined) circuit.report(ticket, each.verdict);
        }
        expect(circuit.allowance > 0 || circuit.waitMs !== null || underWay.length > 0).toBe(true);
        if (circuit.state === 'open') expect(circuit.allowance).toBe(0);
        if (circuit.state === 'half_open') expect(circuit.allowance).toBeLessThanOrEqual(1);
      }
    }),
  );
});
