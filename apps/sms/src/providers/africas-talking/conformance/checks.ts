import { AFRICAS_TALKING_CALLBACKS } from '../reports.ts';
import { readBalance, readSendAnswer } from '../answer.ts';
import { createRequests } from '../request.ts';
import { networkOf } from '../networks.ts';
import type { SendAnswer } from '../../provider.ts';

/** A recorded message. */
export interface Sample {
  readonly category: string;
  readonly raw: string;
  readonly body: unknown;
  readonly http_status?: number;
}

/** One reading of a message; `differs` is empty when it is what the sample says. */
export interface CheckedRow {
  readonly message: string;
  readonly read: string;
  readonly id: string;
  readonly cost: string;
  readonly differs: string;
}

type Fields = Readonly<Record<string, unknown>>;

/** Reads a sample with the code that reads real messages, and compares with a plain look at its parsed form. */
export function checkSample(message: string, sample: Sample): CheckedRow[] {
  const body = (sample.body ?? {}) as Fields;
  switch (sample.category) {
    case 'at-response':
      return checkResponse(message, sample, body);
    case 'at-delivery-report':
      return [checkReport(message, sample, body)];
    case 'at-optout':
      return [checkOptOut(message, sample, body)];
    case 'at-request':
      return [checkRequest(message, body)];
    default:
      return [{ message, read: 'not read', id: '', cost: '', differs: `category ${sample.category}` }];
  }
}

function checkResponse(message: string, sample: Sample, body: Fields): CheckedRow[] {
  const answer = { status: sample.http_status ?? 200, body: sample.raw, retryAfter: null };
  const userData = body['UserData'] as Fields | undefined;
  if (userData !== undefined) {
    const balance = readBalance(answer);
    const read = `balance ${balance?.currency ?? ''} ${balance?.amount ?? ''}`;
    return [
      {
        message,
        read,
        id: '',
        cost: '',
        differs: differences({ read }, { read: `balance ${String(userData['balance'])}` }),
      },
    ];
  }
  const data = body['SMSMessageData'] as SendData | undefined;
  const recipients = data?.Recipients ?? [];
  if (recipients.length === 0) {
    const read = readSendAnswer(answer, { number: null, text: '' });
    const isWrong = read.kind === 'accepted' || read.facts !== null;
    return [{ message, ...shown(read), differs: isWrong ? 'accepted without a recipient' : '' }];
  }
  return recipients.map((recipient) => {
    const number = String(recipient['number']).replace(/\D/g, '');
    const read = readSendAnswer(answer, { number, text: '' });
    return {
      message,
      ...shown(read),
      differs: differences(factsOf(read), expected(recipient, data?.Message ?? '')),
    };
  });
}

interface SendData {
  readonly Message?: string;
  readonly Recipients?: readonly Fields[];
}

/** A plain look at a recipient, by other means than the reader's. */
function expected(recipient: Fields, message: string) {
  const suffix = message.split('Message parts: ')[1];
  const [currency, cost] = ((recipient['cost'] ?? 'none none') as string).split(' ');
  const id = recipient['messageId'] ?? 'None';
  const amount = cost ?? currency;
  return {
    accepted: ['100', '101', '102'].includes(String(recipient['statusCode'])),
    id: id === 'None' ? null : id,
    cost: amount === 'none' ? null : Number(amount).toFixed(4),
    currency: cost === undefined || cost === 'none' ? null : currency,
    status: `${String(recipient['statusCode'])} ${String(recipient['status'])}`,
    parts: recipient['messageParts'] ?? (suffix === undefined ? null : Number(suffix)),
  };
}

function factsOf(read: SendAnswer) {
  const facts = read.kind === 'accepted' ? read : read.facts;
  return {
    accepted: read.kind === 'accepted',
    id: facts?.providerMessageId ?? null,
    cost: facts?.cost ?? null,
    currency: facts?.currency ?? null,
    status: facts?.providerStatus,
    parts: facts?.parts ?? null,
  };
}

function shown(read: SendAnswer) {
  const facts = read.kind === 'accepted' ? read : read.facts;
  const scope = read.kind === 'retry' ? ` ${read.scope}` : '';
  const code = read.kind === 'accepted' ? '' : ` ${read.code}`;
  return {
    read: `${read.kind}${scope}${code} (${facts?.providerStatus ?? 'no recipient'})`,
    id: facts?.providerMessageId ?? '',
    cost:
      facts?.cost === undefined || facts.cost === null ? '' : `${facts.currency ?? ''} ${facts.cost}`.trim(),
  };
}

function checkReport(message: string, sample: Sample, body: Fields): CheckedRow {
  const read = AFRICAS_TALKING_CALLBACKS.readReport(Buffer.from(sample.raw));
  if (!read.ok) return { message, read: read.reason, id: '', cost: '', differs: 'not read' };
  const { providerMessageId: id, state, status, reason, network, retryCount: retries } = read.value;
  const word = body['failureReason'] ?? 'none';
  const code = body['networkCode'] ?? null;
  const wanted = {
    id: body['id'],
    status: body['status'],
    reason: word === 'none' || word === 'None' ? null : word,
    network: typeof code === 'string' ? networkOf(code) : code,
    retries: body['retryCount'] === undefined ? null : Number(body['retryCount']),
  };
  const words = [state, status, reason, network].filter((each) => each !== null).join(', ');
  const differs = differences({ id, status, reason, network, retries }, wanted);
  return { message, read: words, id, cost: '', differs };
}

function checkOptOut(message: string, sample: Sample, body: Fields): CheckedRow {
  const read = AFRICAS_TALKING_CALLBACKS.readOptOut(Buffer.from(sample.raw));
  if (!read.ok) return { message, read: read.reason, id: '', cost: '', differs: 'not read' };
  const got = { sender: read.value.senderId, phone: `+${read.value.phone}` };
  const wanted = { sender: body['senderId'], phone: body['phoneNumber'] };
  return {
    message,
    read: `opt-out of ${String(got.sender)}`,
    id: '',
    cost: '',
    differs: differences(got, wanted),
  };
}

/** A request is not read but written: ours to a hash must have the same fields with values of the same types. */
function checkRequest(message: string, body: Fields): CheckedRow {
  const requests = createRequests({ baseUrl: 'http://127.0.0.1', username: 'u', apiKey: 'k', senderId: 's' });
  const recipient = { kind: 'hash', hash: '0'.repeat(64), network: 'Safaricom' } as const;
  const ours = requests.send({ id: '', recipient, text: 'Hi' });
  const written = ours.ok ? (JSON.parse(ours.request.body ?? '{}') as Fields) : {};
  const shapeOf = (fields: Fields) =>
    Object.fromEntries(
      Object.entries(fields).map(([key, value]) => [key, Array.isArray(value) ? 'array' : typeof value]),
    );
  return {
    message,
    read: 'our request',
    id: '',
    cost: '',
    differs: differences(shapeOf(written), shapeOf(body)),
  };
}

function differences(got: Fields, wanted: Fields): string {
  const names = [...new Set([...Object.keys(got), ...Object.keys(wanted)])];
  return names
    .filter((name) => got[name] !== wanted[name])
    .map((name) => `${name}: ${String(got[name])} instead of ${String(wanted[name])}`)
    .join('; ');
}
