import { randomUUID } from 'node:crypto';
import type { AfricasTalkingSimulator, Said, Watch } from '@repo/simulator';
import { request } from 'undici';

/** Shows the phone of the simulated M-PESA what the services say, by their public routes. */
export function watchServices(options: {
  /** The M-PESA service. */
  readonly url: string;
  readonly apiKey: string;
  /** Where the messages to customers end. */
  readonly provider: AfricasTalkingSimulator;
}): Watch {
  const headers = { authorization: `Bearer ${options.apiKey}`, 'content-type': 'application/json' };

  async function call(path: string, body?: unknown): Promise<Called> {
    const response = await request(options.url + path, {
      method: body === undefined ? 'GET' : 'POST',
      headers: { ...headers, 'idempotency-key': randomUUID() },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const answered = (await response.body.json().catch(() => ({}))) as Readonly<Record<string, unknown>>;
    return { status: response.statusCode, answered };
  }

  return {
    async deposit(receipt) {
      const { status, answered } = await call(`/deposits/${receipt}`).catch(() => UNHEARD);
      const names = typeof answered['reason'] === 'string' ? ['outcome', 'reason'] : ['outcome', 'wallet'];
      return status === 200 ? wordsOf(answered, names) : null;
    },
    messages: (phone) =>
      options.provider.messages().flatMap(({ recipient, text }) => (recipient === `+${phone}` ? [text] : [])),
    async ask({ phone, account, amount }): Promise<Said> {
      const { status, answered } = await call('/payments', { wallet: account, amount, phone }).catch(
        () => UNHEARD,
      );
      if (status === 0) return { said: 'The M-PESA service does not answer.', isRefused: true };
      const said = wordsOf(answered, ['status', 'title', 'detail', 'message']);
      return { said: `HTTP ${String(status)} ${said}`, isRefused: status >= 300 };
    },
  };
}

/** What a service answered. */
interface Called {
  readonly status: number;
  readonly answered: Readonly<Record<string, unknown>>;
}

/** The service does not answer, as while it is restarted. */
const UNHEARD: Called = { status: 0, answered: {} };

/** The named members that are texts, in this order. */
function wordsOf(answer: Readonly<Record<string, unknown>>, names: readonly string[]): string {
  const texts = names.map((name) => answer[name]).filter((value) => typeof value === 'string');
  return texts.join(', ');
}
