import { acceptedRecipient, answerBody, refusedRecipient, refusedRequestBody } from './answers.ts';
import type { AnsweredRecipient } from './answers.ts';
import type { Behaviour, ReportPlan } from './behaviour.ts';
import { formatCost } from './book.ts';
import type { Book, BookedMessage } from './book.ts';
import { chargedParts } from './parts.ts';
import type { SendRequest } from './requests.ts';
import type { Settings } from './settings.ts';

/** An accepted message with the reports that shall follow. */
interface Accepted {
  readonly message: BookedMessage;
  readonly reports: ReportPlan | null;
}

/** What the sender gets to see, and what must happen besides. */
export interface SendOutcome {
  readonly status: number;
  readonly body: string;
  readonly retryAfter: string | null;
  /** How the connection is treated instead of an answer. */
  readonly connection: 'answered' | 'dropped' | 'cut' | 'never' | 'reset';
  readonly delayMs: number;
  readonly accepted: readonly Accepted[];
}

export interface SendContext {
  readonly book: Book;
  readonly settings: Settings;
  /** Ten-thousandths of KES on the account; null for no end. */
  readonly balance: bigint | null;
}

const NOTHING = { retryAfter: null, connection: 'answered', delayMs: 0, accepted: [] } as const;

/** Takes a request: books what is accepted, and says what to answer. */
export function takeRequest(context: SendContext, request: SendRequest): SendOutcome {
  const { text } = request;
  const chosen = request.recipients.map((recipient) => {
    return { recipient, behaviour: context.settings.behaviour({ recipient, text }) };
  });
  const whole = chosen.map(({ behaviour }) => refuseWhole(behaviour)).find((outcome) => outcome !== null);
  if (whole !== undefined) return whole;
  const parts = chargedParts(text);
  const taken = chosen.map((each) => takeRecipient(context, { ...each, text, parts }));
  return outcomeOf(context, taken);
}

/** What is decided for the request before any recipient is looked at. */
function refuseWhole(behaviour: Behaviour): SendOutcome | null {
  if (behaviour.kind === 'reset') return { ...NOTHING, status: 0, body: '', connection: 'reset' };
  if (behaviour.kind === 'refuse-request') {
    return { ...NOTHING, status: 201, body: refusedRequestBody(behaviour.word) };
  }
  if (behaviour.kind !== 'http') return null;
  const { status, body = '', retryAfter = null } = behaviour;
  return { ...NOTHING, status, body, retryAfter };
}

interface Taken {
  readonly answered: AnsweredRecipient;
  readonly accepted: { readonly behaviour: Accept; readonly message: BookedMessage } | null;
  readonly tenThousandths: number;
}

type Accept = Extract<Behaviour, { kind: 'accept' }>;

interface Recipient {
  readonly recipient: string;
  readonly behaviour: Behaviour;
  readonly text: string;
  readonly parts: number;
}

function takeRecipient(context: SendContext, { recipient, behaviour, text, parts }: Recipient): Taken {
  const { book, settings, balance } = context;
  const price = parts * settings.partCost;
  const isAffordable = balance === null || balance - book.total >= BigInt(price);
  if (behaviour.kind !== 'accept' || !isAffordable) {
    const refusal = behaviour.kind === 'refuse' ? behaviour : ({ kind: 'refuse', code: 405 } as const);
    book.count('refused');
    return { answered: refusedRecipient(recipient, refusal), accepted: null, tenThousandths: 0 };
  }
  const tenThousandths = behaviour.shape === 'premium' ? 0 : price;
  const message = book.accept({ recipient, text, parts, tenThousandths });
  return {
    answered: acceptedRecipient(message, behaviour),
    accepted: { behaviour, message },
    tenThousandths,
  };
}

function outcomeOf({ book, settings }: SendContext, taken: readonly Taken[]): SendOutcome {
  const accepted = taken.flatMap((each) => (each.accepted === null ? [] : [each.accepted]));
  const first = accepted[0];
  const how = first?.behaviour.answer ?? 'given';
  if (how !== 'given') for (const _each of accepted) book.count('untold');
  const body = answerBody({
    recipients: taken.map((each) => each.answered),
    accepted: accepted.length,
    cost: formatCost(taken.reduce((sum, each) => sum + each.tenThousandths, 0)),
    sandboxParts: first?.behaviour.shape === 'sandbox' ? first.message.parts : null,
    premium: first?.behaviour.shape === 'premium',
  });
  return {
    ...shownAs(how, body),
    retryAfter: null,
    delayMs: first?.behaviour.delayMs ?? settings.delayMs,
    accepted: accepted.map(({ behaviour, message }) => ({ message, reports: behaviour.reports ?? null })),
  };
}

function shownAs(how: NonNullable<Accept['answer']>, body: string) {
  const given = { status: 201, body, connection: 'answered' } as const;
  if (how === 'given') return given;
  if (how === 'unreadable') return { ...given, body: '<html><body>Accepted</body></html>' };
  if (how === 'failed') return { ...given, status: 500, body: 'Internal Server Error' };
  return { ...given, connection: how };
}
