import type { Behaviour } from './behaviour.ts';
import type { BookedMessage } from './book.ts';

type Accept = Extract<Behaviour, { kind: 'accept' }>;
type Refuse = Extract<Behaviour, { kind: 'refuse' }>;

/** A recipient in an answer. The fields stand in the order in which the provider sends them, by their names. */
export type AnsweredRecipient = Readonly<Record<string, string | number>>;

/** The words beside the codes of refusals. */
const REFUSAL_NAMES: Readonly<Record<number, string>> = {
  401: 'RiskHold',
  402: 'InvalidSenderId',
  403: 'InvalidPhoneNumber',
  404: 'UnsupportedNumberType',
  405: 'InsufficientBalance',
  406: 'UserInBlacklist',
  407: 'CouldNotRoute',
  409: 'DoNotDisturbRejection',
  500: 'InternalServerError',
  501: 'GatewayError',
  502: 'RejectedByGateway',
};

export function acceptedRecipient(message: BookedMessage, behaviour: Accept): AnsweredRecipient {
  const { shape = 'live', code = 101 } = behaviour;
  const cost = shape === 'premium' ? '0' : `KES ${message.cost}`;
  return {
    cost,
    messageId: message.id,
    ...(shape === 'live' ? { messageParts: message.parts } : {}),
    number: message.recipient,
    status: 'Success',
    statusCode: shape === 'string-code' ? String(code) : code,
  };
}

export function refusedRecipient(recipient: string, behaviour: Refuse): AnsweredRecipient {
  const { code, shape = 'plain', name = REFUSAL_NAMES[code] ?? 'Unknown' } = behaviour;
  const status = { number: recipient, status: name, statusCode: code };
  if (shape === 'minimal') return status;
  if (shape === 'plain') return { cost: '0', messageId: 'None', ...status };
  return { cost: 'KES 0.8000', messageId: `ATXid_refused${recipient.slice(-4)}`, ...status };
}

export interface AnswerFacts {
  readonly recipients: readonly AnsweredRecipient[];
  readonly accepted: number;
  /** Decimal string of KES. */
  readonly cost: string;
  /** The account's currency and the suffix of the sandbox, when the answer has its form. */
  readonly sandboxParts: number | null;
  readonly premium: boolean;
}

/** The body of an answer to a request. Its total is in the account's currency, not that of the recipients. */
export function answerBody({ recipients, accepted, cost, sandboxParts, premium }: AnswerFacts): string {
  const sent = `Sent to ${String(accepted)}/${String(recipients.length)}`;
  return JSON.stringify({
    SMSMessageData: {
      Message: sent + totalOf({ accepted, cost, sandboxParts, premium }),
      Recipients: recipients,
    },
  });
}

function totalOf({ accepted, cost, sandboxParts, premium }: Omit<AnswerFacts, 'recipients'>): string {
  if (premium) return '';
  if (accepted === 0) return ' Total Cost: 0';
  if (sandboxParts === null) return ` Total Cost: KES ${cost}`;
  return ` Total Cost: USD 0.0079 Message parts: ${String(sandboxParts)}`;
}

/** The body of a refusal of the whole request, which comes with HTTP 201 as well. */
export function refusedRequestBody(word: string): string {
  return JSON.stringify({ SMSMessageData: { Message: word, Recipients: [] } });
}
