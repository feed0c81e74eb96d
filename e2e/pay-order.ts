/** What `POST /pay` asks for. */
export interface PayOrder {
  readonly account: string;
  /** KES as a decimal string. */
  readonly amount: string;
  /** How often M-PESA reports the payment. */
  readonly copies: number;
}

/** The order cannot be carried out as it is; the message says which member, and what it must be. */
export class OrderError extends Error {
  override readonly name = 'OrderError';
}

const MOST_COPIES = 1_000;

/** Reads the body of an order. Nothing in it is guessed or left out of account: money moves by it. */
export function readPayOrder(body: string): PayOrder {
  const { account, amount, copies = 1, ...others } = parseObject(body);
  const [unknown] = Object.keys(others);
  if (unknown !== undefined) throw new OrderError(`"${unknown}" is unknown; say account, amount and copies`);
  if (typeof account !== 'string') throw wrong('account', 'a text, such as the number of a wallet', account);
  if (typeof amount !== 'string' || !/^\d{1,15}(\.\d{1,2})?$/.test(amount) || !/[1-9]/.test(amount)) {
    throw wrong('amount', 'a decimal text above zero, such as "100.00"', amount);
  }
  if (typeof copies !== 'number' || !Number.isInteger(copies) || copies < 1 || copies > MOST_COPIES) {
    throw wrong('copies', `a whole number from 1 to ${String(MOST_COPIES)}`, copies);
  }
  return { account, amount, copies };
}

function parseObject(body: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(body);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      return value as Readonly<Record<string, unknown>>;
    }
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw new OrderError('the body must be a JSON object');
}

function wrong(member: string, what: string, value: unknown): OrderError {
  const found = value === undefined ? 'it is missing' : `not the ${kindOf(value)} ${JSON.stringify(value)}`;
  return new OrderError(`"${member}" must be ${what}; ${found}`);
}

function kindOf(value: unknown): string {
  if (value === null) return 'value';
  if (Array.isArray(value)) return 'list';
  return typeof value === 'string' ? 'text' : typeof value;
}
