import { formatCost, parseCost, readBook, sumCosts } from './book.ts';
import { TRIAL_KEY } from './processes.ts';

/** What a person at a desk has decided, through the API. */
export interface Decisions {
  /** Found in the provider's books. */
  sent: number;
  /** Not in the provider's books. */
  sentAgain: number;
  /** Sent again without a look into the books. */
  careless: number;
  /** Messages that a report suggested to have been sent. */
  suggested: number;
  /** Refused because the outcome was known by then. */
  settled: number;
}

interface UnknownMessage {
  readonly id: string;
  readonly recipient: string;
  readonly cost: string | null;
  readonly suggestions: readonly { readonly providerMessageId: string }[];
}

export interface PersonOptions {
  readonly serviceUrl: string;
  readonly providerUrl: string;
  /** Of so many messages one is sent again without a look; 0 for none. */
  readonly carelessOneIn: number;
}

/**
 * Decides about messages of unknown outcome as a careful person would who has the provider's books at hand, and now and
 * then as a careless one.
 */
export function createPerson({ serviceUrl, providerUrl, carelessOneIn }: PersonOptions) {
  const decisions: Decisions = { sent: 0, sentAgain: 0, careless: 0, suggested: 0, settled: 0 };
  let seen = 0;

  async function call(path: string, body?: unknown): Promise<Response> {
    return fetch(`${serviceUrl}${path}`, {
      method: body === undefined ? 'GET' : 'POST',
      headers: { authorization: `Bearer ${TRIAL_KEY}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  }

  async function decide(message: UnknownMessage, body: unknown): Promise<boolean> {
    const response = await call(`/messages/${message.id}/decision`, body);
    await response.body?.cancel();
    if (response.status === 200) return true;
    // Its answer came in the meantime.
    if (response.status !== 409) throw new Error(`a decision was answered ${String(response.status)}`);
    decisions.settled += 1;
    return false;
  }

  return {
    decisions,
    /** Works off the list once; how many were on it. */
    async work(): Promise<number> {
      const response = await call('/messages?status=unknown&limit=1000');
      const { items: messages } = (await response.json()) as { items: UnknownMessage[] };
      const book = await readBook(providerUrl);
      for (const message of messages) {
        const booked = book.byNumber.get(message.recipient) ?? [];
        const last = booked.at(-1);
        if (message.suggestions.length > 0) decisions.suggested += 1;
        seen += 1;
        const isCareless = carelessOneIn > 0 && seen % carelessOneIn === 0;
        if (last === undefined || isCareless) {
          const note = isCareless ? 'sent again without a look' : "not in the provider's books";
          const isDone = await decide(message, { decision: 'send_again', note });
          if (isDone && isCareless) decisions.careless += 1;
          else if (isDone) decisions.sentAgain += 1;
          continue;
        }
        const unbooked = sumCosts(booked) - parseCost(message.cost ?? '0');
        const isDone = await decide(message, {
          decision: 'sent',
          note: "in the provider's books",
          providerMessageId: last.id,
          cost: { amount: formatCost(unbooked), currency: 'KES', parts: booked.length },
        });
        if (isDone) decisions.sent += 1;
      }
      return messages.length;
    },
  };
}

export type Person = ReturnType<typeof createPerson>;
