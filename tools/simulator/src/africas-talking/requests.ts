import { parse } from 'node:querystring';

/** A request to send, as both endpoints mean it. */
export interface SendRequest {
  readonly username: string;
  /** Numbers as sent, or one hash. */
  readonly recipients: readonly string[];
  readonly text: string;
}

/** Reads a request of the form endpoint; null when a required field is missing. */
export function readFormRequest(body: string): SendRequest | null {
  const { username, to, message } = parse(body);
  if (typeof username !== 'string' || typeof to !== 'string' || typeof message !== 'string') return null;
  const recipients = to.split(',').filter((each) => each !== '');
  return recipients.length === 0 || message === '' ? null : { username, recipients, text: message };
}

/** Reads a request of the JSON endpoint, whose recipients are numbers or one hash of one network. */
export function readJsonRequest(body: string): SendRequest | null {
  const fields = parseObject(body);
  const { username, message, phoneNumbers, maskedNumber, telco } = fields;
  if (typeof username !== 'string' || typeof message !== 'string' || message === '') return null;
  const numbers = Array.isArray(phoneNumbers) ? phoneNumbers.filter((each) => typeof each === 'string') : [];
  const isHashed = typeof maskedNumber === 'string' && /^[0-9a-f]{64}$/.test(maskedNumber);
  if (isHashed && telco !== 'Safaricom') return null;
  const recipients = isHashed ? [...numbers, maskedNumber] : numbers;
  return recipients.length === 0 ? null : { username, recipients, text: message };
}

function parseObject(body: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(body);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch (error) {
    if (error instanceof SyntaxError) return {};
    throw error;
  }
}
