import type { DeliveryReport, DeliveryState } from '@repo/db';
import type { z } from 'zod';
import type { Read } from './report-fields.ts';
import type { SendCode } from './send-codes.ts';

/** A network in Kenya. The prefix of a number does not tell it, for numbers move between networks. */
export type Network = 'Safaricom' | 'Airtel' | 'Telkom' | 'Equitel';

/** To whom: a number, or what is known of one. */
export type Recipient =
  /** Digits with the country code and without a plus sign, `2547...`. */
  | { readonly kind: 'number'; readonly number: string }
  /** SHA-256 of those digits in lower-case hex. The network that made the hash can find the number by it. */
  | { readonly kind: 'hash'; readonly hash: string; readonly network: Network };

export interface OutgoingMessage {
  /** Ours; it is never sent. */
  readonly id: string;
  readonly recipient: Recipient;
  /** As it shall be sent: the caller has prepared it. */
  readonly text: string;
}

/** What the provider said of a message, as far as it could be read. Nothing in it is personal data. */
export interface ProviderFacts {
  /** What delivery reports will name; null where there is none (the provider writes `None`). */
  readonly providerMessageId: string | null;
  /** Decimal string with four decimals, null when none could be read. */
  readonly cost: string | null;
  /** ISO 4217 code; null where the provider names none, as with a cost of `0`. */
  readonly currency: string | null;
  /** The cost as the provider wrote it. */
  readonly costText: string | null;
  /** Parts that the provider counted. */
  readonly parts: number | null;
  /** Its code and word, such as `101 Success`. */
  readonly providerStatus: string;
}

/** Why a message was not accepted: a code of ours, and a sentence for people that holds the provider's word. */
interface Refusal {
  readonly code: SendCode;
  readonly reason: string;
  /** Also a refused message can have an id and a cost. Null when the provider said nothing of this message. */
  readonly facts: ProviderFacts | null;
}

/** What became of an attempt to send. Only `accepted`, `refused` and `unknown` end it. */
export type SendAnswer =
  | ({ readonly kind: 'accepted' } & ProviderFacts)
  /** Surely not sent, and never will be. */
  | ({ readonly kind: 'refused' } & Refusal)
  /** Surely not sent; may succeed later. With scope `provider` other messages would meet the same. */
  | ({
      readonly kind: 'retry';
      readonly scope: 'message' | 'provider';
      /** What the provider asks us to wait. */
      readonly retryAfterMs?: number;
    } & Refusal)
  /** May have been sent. It must not be sent again before a delivery report or a person has decided. */
  | ({ readonly kind: 'unknown' } & Refusal);

/** The sum that is left on the account. */
export interface Balance {
  /** Decimal string as the provider writes it, without grouping. */
  readonly amount: string;
  readonly currency: string;
}

/** Somebody who sends messages for us. */
export interface Provider {
  /** Stored with every message. */
  readonly name: string;
  /** Whether a recipient may be a hash; the others are refused without a request. */
  readonly acceptsHashes: boolean;
  /**
   * Sends one message, once. Never rejects for what the provider, the network or the message does. When the signal
   * is aborted, the answer is `retry` if nothing had left yet, else `unknown`.
   */
  send(message: OutgoingMessage, signal?: AbortSignal): Promise<SendAnswer>;
  /** What is left on the account; null when it cannot be told now. */
  balance(): Promise<Balance | null>;
  /** Lets the requests under way finish and closes the connections. */
  close(): Promise<void>;
}

/** What a report says of a message: what it means in our words, with the provider's own beside it. */
export interface ReadReport extends Omit<DeliveryReport, 'provider' | 'body'> {
  readonly providerMessageId: string;
  readonly state: DeliveryState;
  /** In the provider's spelling; one that is not listed is as it was sent. */
  readonly status: string;
  /** Digits of the number, personal data; null when absent or masked. */
  readonly phone: string | null;
}

/** A customer's wish to get no more messages from a sender. */
export interface OptOut {
  /** Whose messages; null when it was not said. */
  readonly senderId: string | null;
  /** Digits, personal data. */
  readonly phone: string;
}

/**
 * Reads what a provider calls us with. It opens nothing, so that a process without a sender has one too. Reports may come
 * several times, out of order, and before the answer.
 */
export interface CallbackReader {
  /** Whose messages the reports are about: the name of the provider that sent them. */
  readonly provider: string;
  /** The fields of its callbacks, for the service's description only: whatever comes is taken as bytes. */
  readonly fields: { readonly report: z.ZodObject; readonly optOut: z.ZodObject };
  /** Never throws: what cannot be read has a reason. */
  readonly readReport: (bytes: Buffer) => Read<ReadReport>;
  readonly readOptOut: (bytes: Buffer) => Read<OptOut>;
}
