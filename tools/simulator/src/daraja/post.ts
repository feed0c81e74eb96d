import type { Buffer } from 'node:buffer';
import { Agent, request } from 'undici';

/** What one sending came to. */
export interface Answer {
  readonly status: number;
  readonly body: string;
}

/** Where M-PESA's messages leave from. */
export interface Poster {
  /** Sends once; null if nobody answered. */
  post(
    url: string,
    message: { readonly body: Buffer; readonly shortCode: string; readonly signal: AbortSignal },
  ): Promise<Answer | null>;
  close(): Promise<void>;
}

/** Most connections to one service, as with the other senders of the simulator. */
const MOST_CONNECTIONS = 256;

export function createPoster(): Poster {
  const agent = new Agent({ connections: MOST_CONNECTIONS });
  return {
    async post(url, { body, shortCode, signal }) {
      try {
        const response = await request(url, {
          dispatcher: agent,
          method: 'POST',
          headers: {
            'user-agent': 'ReactorNetty/1.2.9',
            accept: '*/*',
            'content-type': 'application/json;charset=UTF-8',
            businessshortcode: shortCode,
          },
          body,
          signal,
        });
        return { status: response.statusCode, body: await response.body.text() };
      } catch (error) {
        // Nobody listens, or the connection ended: M-PESA meets that as well. Anything else is a mistake of ours.
        if (error instanceof TypeError) throw error;
        return null;
      }
    },
    close: () => agent.destroy(),
  };
}
