import type { Context } from './context.ts';
import type { Call } from './exchange.ts';
import { refused } from './exchange.ts';
import { outcomeOf } from './outcomes.ts';
import type { Outcome } from './outcomes.ts';
import type { OpenedPrompt, Prompts } from './prompts.ts';
import { isRefusal } from './faults.ts';
import { badRequest, REFUSALS } from './refusals.ts';
import type { Served } from './served.ts';
import type { StkBehaviour } from './settings.ts';
import { isTimestamp, readStkRequest, refuseCredentials } from './stk-request.ts';
import type { StkRequest } from './stk-request.ts';

export interface StkRoutes {
  processRequest(call: Call, requestId: string): Promise<Served>;
  query(call: Call, requestId: string): Served;
}

export function createStkRoutes(context: Context, prompts: Prompts): StkRoutes {
  async function processRequest(call: Call, requestId: string): Promise<Served> {
    const read = readStkRequest(call.fields, context.organisation);
    if ('refusal' in read) return { reply: refused(read.refusal, requestId) };
    const { request } = read;
    const behaviour = withMistakes(context, request);
    const { fault } = behaviour;
    if (fault === 'lost-before') return { reply: { status: 0, body: null }, fault };
    if (fault !== undefined && isRefusal(fault)) return { reply: refused(REFUSALS[fault], requestId) };
    const opened = prompts.open(request, behaviour);
    if (opened === null) return { reply: refused(REFUSALS['busy-subscriber'], requestId) };
    return await accept(opened, behaviour);
  }

  function query({ fields }: Call, requestId: string): Served {
    if (!isTimestamp(fields['Timestamp'] ?? ''))
      return { reply: refused(badRequest('Timestamp'), requestId) };
    const id = fields['CheckoutRequestID'] ?? '';
    if (id === '') return { reply: refused(badRequest('CheckoutRequestID'), requestId) };
    const refusal = refuseCredentials(fields, context.organisation);
    if (refusal !== null) return { reply: refused(refusal, requestId) };
    const prompt = prompts.find(id);
    if (prompt === null) return { reply: refused(REFUSALS['no-transaction'], requestId) };
    const isOpen = prompt.outcome === null;
    if (isOpen && context.settings.pendingAs === 'error') {
      return { reply: refused(REFUSALS['being-processed'], requestId) };
    }
    const outcome = prompt.outcome === null ? PENDING : outcomeOf(prompt.outcome);
    return { reply: { status: 200, body: { ...TAKEN, ...prompt.ids, ...resultOf(outcome) } } };
  }

  return { processRequest, query };
}

async function accept({ prompt, begin }: OpenedPrompt, behaviour: StkBehaviour): Promise<Served> {
  const body = {
    ...prompt.ids,
    ResponseCode: '0',
    ResponseDescription: 'Success. Request accepted for processing',
    CustomerMessage: 'Success. Request accepted for processing',
  };
  const served = {
    reply: { status: 200, body },
    ...(behaviour.fault === undefined ? {} : { fault: behaviour.fault }),
  };
  if (behaviour.when !== 'before') return { ...served, afterwards: begin };
  await begin();
  return served;
}

/** A paybill is paid as a paybill and a till as a till: what mixes them up is accepted, and comes to nothing. */
function withMistakes({ organisation, settings, chance }: Context, request: StkRequest): StkBehaviour {
  const attempt = chance.occurrence(`attempt ${request.phone} ${request.amount} ${request.reference}`);
  const behaviour = settings.behaviour(request, attempt);
  const { shortCode, till } = organisation;
  if (request.isTill && request.partyB !== till) return { ...behaviour, outcome: 'no-operator' };
  if (!request.isTill && (till !== null || request.partyB !== shortCode)) {
    return { ...behaviour, outcome: 'not-permitted' };
  }
  return behaviour;
}

/** Spelt as Safaricom spells it. */
const TAKEN = {
  ResponseCode: '0',
  ResponseDescription: 'The service request has been accepted successsfully',
};

const PENDING: Outcome = { code: 4999, texts: ['The transaction is still under processing'] };

/** Unlike in the callback the code is always a text, and receipt and amount are missing. */
function resultOf({ code, texts, queryText }: Outcome) {
  return { ResultCode: String(code), ResultDesc: queryText ?? texts[0] };
}
