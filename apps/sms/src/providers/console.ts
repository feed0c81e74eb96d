import { prepareText } from '../text/prepare-text.ts';
import type { OutgoingMessage, Provider, Recipient, SendAnswer } from './provider.ts';

export interface ConsoleOptions {
  /** Takes one line, without its end. */
  readonly write: (line: string) => void;
  /** Shows the texts too. They hold names and balances: for a developer's own machine. */
  readonly showText?: boolean;
}

/**
 * A provider for development: accepts every message, costs nothing, and writes one line for each with what a
 * developer wants to see: that it went out, to roughly whom, and how long it is.
 */
export function createConsoleProvider({ write, showText = false }: ConsoleOptions): Provider {
  function send({ id, recipient, text }: OutgoingMessage): Promise<SendAnswer> {
    const { parts, encoding, units } = prepareText(text);
    const size = `${String(parts)} part${parts === 1 ? '' : 's'}, ${String(units)} units of ${encoding}`;
    const shown = showText ? `: ${JSON.stringify(text)}` : '';
    write(`sms ${id} to ${masked(recipient)} (${size})${shown}`);
    return Promise.resolve({
      kind: 'accepted',
      // The message's own id, so that it is as unique as the message in whatever run of whatever process.
      providerMessageId: `console-${id}`,
      cost: '0.0000',
      currency: null,
      costText: '0',
      parts,
      providerStatus: 'written',
    });
  }

  return {
    name: 'console',
    acceptsHashes: true,
    send,
    balance: () => Promise.resolve(null),
    close: () => Promise.resolve(),
  };
}

/** Enough of a number to tell two test phones apart, `254*****126`. A hash shows its beginning. */
function masked(recipient: Recipient): string {
  if (recipient.kind === 'hash') return `hash ${recipient.hash.slice(0, 6)}...`;
  const { number } = recipient;
  if (number.length < 9) return '*'.repeat(number.length);
  return number.slice(0, 3) + '*'.repeat(number.length - 6) + number.slice(-3);
}
