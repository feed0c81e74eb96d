import type { ServerResponse } from 'node:http';
import { cutReply, refused, writePage, writeReply } from './exchange.ts';
import type { Reply } from './exchange.ts';
import { REFUSALS } from './refusals.ts';
import type { RefusalName } from './refusals.ts';

/**
 * How a connection ends instead of an answer. With `lost-before` nothing was taken; with the others the request was
 * taken, and its sender cannot know it.
 */
type ConnectionFault = 'lost-before' | 'lost-after' | 'cut' | 'never' | 'unreadable';

/** What befalls a request: a refusal, or its connection. */
export type Fault = RefusalName | ConnectionFault;

/** What is decided before the request is served; null if it is served. */
export function refuseEarly(fault: Fault | null, requestId: string): Reply | 'lost' | null {
  if (fault === 'lost-before') return 'lost';
  return isRefusal(fault) ? refused(REFUSALS[fault], requestId) : null;
}

export function isRefusal(fault: Fault | null): fault is RefusalName {
  return fault !== null && fault in REFUSALS;
}

/** Writes the reply, or what the fault makes of it. */
export function writeWithFault(response: ServerResponse, reply: Reply, fault: Fault | null): void {
  if (fault === null || isRefusal(fault)) return writeReply(response, reply);
  switch (fault) {
    case 'lost-before':
    case 'lost-after':
      response.destroy();
      return;
    case 'cut':
      cutReply(response, reply);
      return;
    case 'unreadable':
      writePage(response);
      return;
    case 'never':
  }
}
