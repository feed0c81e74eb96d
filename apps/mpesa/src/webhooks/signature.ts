import { createHmac, randomBytes } from 'node:crypto';

const PREFIX = 'whsec_';

/** A secret of Standard Webhooks: 32 random bytes in Base64 behind a prefix. */
export function newWebhookSecret(): string {
  return `${PREFIX}${randomBytes(32).toString('base64')}`;
}

export interface SignedMessage {
  /** The same in every attempt. */
  readonly id: string;
  /** When this attempt is made, in whole seconds since 1970: receivers refuse what is too old. */
  readonly timestamp: number;
  readonly body: string;
}

/** The three headers of Standard Webhooks (https://www.standardwebhooks.com), as names and values in turn. */
export function signatureHeaders(secret: string, { id, timestamp, body }: SignedMessage): string[] {
  const key = Buffer.from(secret.slice(PREFIX.length), 'base64');
  const time = String(timestamp);
  const signature = createHmac('sha256', key).update(`${id}.${time}.${body}`).digest('base64');
  return ['webhook-id', id, 'webhook-timestamp', time, 'webhook-signature', `v1,${signature}`];
}
