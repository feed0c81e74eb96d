import { Buffer } from 'node:buffer';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Random } from '../random.ts';
import type { BookedEvent, EventKind } from './book.ts';
import { createPoster } from './post.ts';
import type { Answer } from './post.ts';
import type { DeliveryPlan, Nuisances } from './settings.ts';

/** A message that M-PESA has to send. */
interface Event {
  readonly kind: EventKind;
  readonly url: string;
  readonly body: string;
  readonly shortCode: string;
}

/** Sends events, with the nuisances that befall them. */
export interface Deliveries {
  /** Resolves when the event was sent as often as it is going to be, or is held. The record gets what became of it. */
  send(event: Event, options: SendOptions): Promise<void>;
  /** Sends once and waits for the answer, for questions; null if nobody answered. */
  ask(event: Event, withinMs: number): Promise<Answer | null>;
  /** Releases the held events and resolves when nothing is under way. */
  settled(): Promise<void>;
  close(): Promise<void>;
}

interface SendOptions {
  readonly plan: Required<DeliveryPlan>;
  /** What changes the bytes of a mutated event. */
  readonly random: Random;
  readonly record: BookedEvent[];
}

/** What a plan leaves open is drawn. The draws are always the same in number, so that one does not change another. */
export function drawPlan(given: DeliveryPlan, nuisances: Nuisances, random: Random): Required<DeliveryPlan> {
  const isDropped = happens(random, nuisances.drop);
  const isDoubled = happens(random, nuisances.duplicate);
  const isHeld = happens(random, nuisances.reorder);
  const isDelayed = happens(random, nuisances.delay);
  const delayMs = random.integer(nuisances.mostDelayMs + 1);
  const isMutated = happens(random, nuisances.mutate);
  const copies = isDoubled ? 2 : 1;
  return {
    copies: isDropped ? 0 : copies,
    delayMs: isDelayed ? delayMs : 0,
    isHeld,
    isMutated,
    ...given,
  };
}

/** An event that is still being sent. */
interface OpenEvent extends BookedEvent {
  readonly answers: (number | null)[];
  said: string;
}

/** How much of an answer's body the book keeps. */
const MOST_SAID = 200;

/** Between two attempts to send an event. */
const AGAIN_MS = 20;

/** Whether what happens so many times in 10,000 happens now. */
export function happens(random: Random, in10000: number): boolean {
  return random.integer(10_000) < in10000;
}

export function createDeliveries(options: {
  readonly attempts: () => number;
  readonly route: (url: string) => string;
}): Deliveries {
  const poster = createPoster();
  const underWay = new Set<Promise<void>>();
  const held: (() => void)[] = [];
  const stop = new AbortController();

  function releaseHeld(): void {
    for (const release of held.splice(0)) release();
  }

  function post({ url, shortCode }: Event, body: Buffer, signal: AbortSignal): Promise<Answer | null> {
    return poster.post(options.route(url), { body, shortCode, signal });
  }

  /** Sends until it is acknowledged, as often as is set; each answer goes into the record. */
  async function untilAcknowledged(event: Event, body: Buffer, booked: OpenEvent): Promise<void> {
    for (let left = Math.max(1, options.attempts()); left > 0 && !stop.signal.aborted; left -= 1) {
      const answer = await post(event, body, stop.signal);
      booked.answers.push(answer?.status ?? null);
      booked.said = (answer?.body ?? '').slice(0, MOST_SAID);
      if (answer !== null && answer.status >= 200 && answer.status < 300) return;
      // A service that refuses at once would otherwise be asked a thousand times a second.
      if (left > 1) await wait(AGAIN_MS);
    }
  }

  async function sendAsPlanned(event: Event, { plan, random, record }: SendOptions): Promise<void> {
    const body = plan.isMutated ? mutate(Buffer.from(event.body), random) : Buffer.from(event.body);
    const { copies, isHeld, isMutated } = plan;
    const booked: OpenEvent = { kind: event.kind, copies, isHeld, isMutated, answers: [], said: '' };
    record.push(booked);
    if (copies === 0) return;
    if (isHeld) await new Promise<void>((resolve) => held.push(resolve));
    if (plan.delayMs > 0) await wait(plan.delayMs);
    // At once, which is harder for the service than one after the other.
    await Promise.all(Array.from({ length: copies }, () => untilAcknowledged(event, body, booked)));
    if (!isHeld) releaseHeld();
  }

  async function wait(ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: stop.signal }).catch(() => undefined);
  }

  return {
    send(event, sending) {
      const sent = sendAsPlanned(event, sending).finally(() => underWay.delete(sent));
      underWay.add(sent);
      // What has to be overtaken first would otherwise wait for those who wait for it.
      return sending.plan.isHeld ? Promise.resolve() : sent;
    },
    ask: (event, withinMs) =>
      post(event, Buffer.from(event.body), AbortSignal.any([stop.signal, AbortSignal.timeout(withinMs)])),
    async settled() {
      while (underWay.size > 0) {
        releaseHeld();
        await Promise.race(underWay);
      }
    },
    async close() {
      stop.abort();
      releaseHeld();
      await Promise.all(underWay);
      await poster.close();
    },
  };
}

/** Changes one to four bytes, or cuts the body short. */
function mutate(body: Buffer, random: Random): Buffer {
  if (random.integer(4) === 0) return body.subarray(0, random.integer(body.length));
  const changed = Buffer.from(body);
  for (let left = 1 + random.integer(4); left > 0; left -= 1) {
    changed[random.integer(changed.length)] = random.integer(256);
  }
  return changed;
}
