import type { IncomingMessage, ServerResponse } from 'node:http';
import type { C2bShape } from '../c2b-message.ts';
import type { Fault } from './faults.ts';
import type { OutcomeName } from './outcomes.ts';

import type { StkRequest } from './stk-request.ts';

/** How one event is sent. What is absent is drawn from the nuisances. */
export interface DeliveryPlan {
  /** How often; 0 for an event that is dropped. */
  readonly copies?: number;
  readonly delayMs?: number;
  /** Held back until another event has overtaken it, or `settled` is called. */
  readonly isHeld?: boolean;
  /** Some of its bytes change on the way. */
  readonly isMutated?: boolean;
}

/** What becomes of a prompt. Absent parts are as usual. */
export interface StkBehaviour {
  /** What becomes of the request for it. Default: it is accepted. */
  readonly fault?: Fault;
  /** How it ends; `ask` waits for `answerPrompt`, until `promptMs` are over. Default: `ask`. */
  readonly outcome?: OutcomeName | 'ask';
  /** Between the acceptance and the outcome. Default: 0. */
  readonly delayMs?: number;
  /** Whether the events may overtake the answer to the request. Default: `after`. */
  readonly when?: 'before' | 'after';
  /** The money moves although the first callback says that it did not: this is what reports it. */
  readonly thenPaid?: 'callback' | 'confirmation' | 'both';
  /** How many payments the prompt makes, each with a receipt of its own. Default: 1. */
  readonly payments?: number;
  /** Which of the two events of a payment comes first. Drawn from the seed when absent. */
  readonly order?: 'callback-first' | 'confirmation-first' | 'together';
  readonly callback?: DeliveryPlan;
  readonly confirmation?: DeliveryPlan;
}

type ChooseStkBehaviour = (request: StkRequest, attempt: number) => StkBehaviour;

/** Where M-PESA reports payments to a short code, as registered. */
export interface RegisteredUrls {
  readonly confirmationUrl: string;
  readonly validationUrl: string;
  /** What happens to a payment whose validation is not answered in time. */
  readonly responseType: 'Completed' | 'Cancelled';
  /** Of the API of their registration. */
  readonly version: 1 | 2;
}

/** A request of any kind, before it is served. */
interface Arrival {
  readonly path: string;
  /** How many requests of this path came before. */
  readonly before: number;
}

/** How often a nuisance befalls an event, in 10,000. */
export interface Nuisances {
  readonly drop: number;
  readonly duplicate: number;
  readonly reorder: number;
  readonly delay: number;
  /** The most that a delayed event waits. */
  readonly mostDelayMs: number;
  readonly mutate: number;
  /** A form of the message that M-PESA also uses: codes as texts, items in another order, a balance without a value. */
  readonly vary: number;
}

export const NO_NUISANCES: Nuisances = {
  drop: 0,
  duplicate: 0,
  reorder: 0,
  delay: 0,
  mostDelayMs: 50,
  mutate: 0,
  vary: 0,
};

/** What can be changed while the simulator runs. */
export interface Settings {
  readonly behaviour: ChooseStkBehaviour;
  /** What befalls a request of any kind; null serves it. */
  readonly fault: (arrival: Arrival) => Fault | null;
  readonly nuisances: Nuisances;
  /** How long a prompt waits for an answer. Default: 60,000. */
  readonly promptMs: number;
  /** How the query says that a prompt is still open: an error, or the code 4999. Default: `error`. */
  readonly pendingAs: 'error' | '4999';
  /** How long a token is valid. Default: 3,599, as the answer says. */
  readonly tokenLifetimeS: number;
  /** How often an event is sent until it is acknowledged. M-PESA promises nothing beyond the first. Default: 1. */
  readonly attempts: number;
  /** Where an event to this URL goes, asked before each sending: a load balancer. Default: to the URL itself. */
  readonly route: (url: string) => string;
  /** The form of confirmations; `mixed` draws one for each payment. Default: null, as the registration has it. */
  readonly shape: C2bShape | 'mixed' | null;
  /** Whether the service is asked before money moves. Default: false, as M-PESA has it unless it is asked for. */
  readonly isValidated: boolean;
  /** How long M-PESA waits for the answer to a validation. Default: 8,000. */
  readonly validationMs: number;
  /** Refuses URLs that production refuses, and a second registration. Default: false. */
  readonly isProduction: boolean;
  /** Status requests wait too long and end at the QueueTimeOutURL. Default: false. */
  readonly isQueueFull: boolean;
  /** The clock behind the times of pulled rows. Default: `utc`. */
  readonly pullClock: 'utc' | 'eat';
}

export interface DarajaOptions extends Partial<Omit<Settings, 'nuisances'>> {
  readonly nuisances?: Partial<Nuisances>;
  /** Port of 127.0.0.1. Default: a free one. */
  readonly port?: number;
  /** The same seed gives the same receipts, fates and book. Default: `daraja`. */
  readonly seed?: string;
  /** Default: `600100`. */
  readonly shortCode?: string;
  /** The till of the store. Default: none, the short code is a paybill. */
  readonly till?: string;
  /** Default: `simulated-passkey`. */
  readonly passkey?: string;
  /** The name on the prompt. Default: `DAFTARI`. */
  readonly name?: string;
  /** Default: `simulated-key`. */
  readonly consumerKey?: string;
  /** Default: `simulated-secret`. */
  readonly consumerSecret?: string;
  /** Money of the organisation at the start, a decimal string. Default: `0.00`. */
  readonly openingBalance?: string;
  /** What M-PESA charges the organisation of each payment, in 10,000 of it, rounded up to a cent. Default: 0. */
  readonly charge?: number;
  /** Where payments are reported without a registration by the API. Default: nowhere. */
  readonly urls?: RegisteredUrls;
  /** Serves what is no part of Daraja, such as a page; whether it has answered the request. */
  readonly serveFirst?: (request: IncomingMessage, response: ServerResponse) => Promise<boolean>;
  /** What the clock at M-PESA shows. Default: the time of this machine. */
  readonly now?: () => Date;
}
