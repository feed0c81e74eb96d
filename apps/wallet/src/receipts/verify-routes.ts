import { findTransaction, findVerificationHash } from '@repo/db';
import type { Db } from '@repo/db';
import { negotiate, problemResponse } from '@repo/http';
import type { HttpServer } from '@repo/http';
import { matchesHash, pickLanguage, verdictJson, verifyPage } from '@repo/receipts';
import type { Verdict } from '@repo/receipts';
import type { FastifyBaseLogger } from 'fastify';
import { z } from 'zod';
import type { RouteContext } from '../dependencies.ts';
import { money } from '../fields.ts';
import { lang, maskedFacts } from './masked-facts.ts';
import { sendPage } from './pages.ts';
import { LIMITED_BY_ADDRESS } from './public-limit.ts';
import { soundFacts } from './receipt-source.ts';
import { readReference } from '../ledger/reference.ts';

const verdictSchema = z
  .union([
    maskedFacts
      .extend({
        genuine: z.literal(true),
        reversedAmount: money.nullable().describe('what was sent back of it since; null for nothing'),
      })
      .meta({ id: 'GenuineReceipt' }),
    z.object({ genuine: z.literal(false) }).meta({ id: 'NotGenuine' }),
  ])
  .meta({ id: 'Verdict' });

const VERIFY_SCHEMA = {
  operationId: 'verifyReceipt',
  tags: ['receipts'],
  summary: 'Tells anybody whether a receipt is genuine, as a page or as JSON.',
  description:
    'Open to the public. A wrong hash and an unknown reference are answered alike. The language of the page is chosen by `lang`, or by `Accept-Language` without it.',
  params: z.object({
    reference: z.string().describe('the reference on the receipt'),
    hash: z.string().describe('the verification hash on the receipt'),
  }),
  // People add to links, and apps do: what is not understood here must not keep anybody from the verdict.
  querystring: z.object({ lang: lang.optional().catch(undefined) }),
  response: {
    200: {
      description: 'The verdict, with masked facts if the receipt is genuine.',
      content: { 'text/html': { schema: z.string() }, 'application/json': { schema: verdictSchema } },
    },
    406: problemResponse('`Accept` wants neither form.'),
    429: problemResponse(
      'There were too many requests from this address; `retry-after` says how long to wait, in seconds.',
    ),
  },
};

/** Adds the public page `GET /verify/:reference/:hash`. */
export function addVerifyRoutes(app: HttpServer, { db, issuer, metrics }: RouteContext): void {
  const options = { schema: VERIFY_SCHEMA, config: LIMITED_BY_ADDRESS };
  app.get('/verify/:reference/:hash', options, async (request, reply) => {
    // A phone that names no type at all belongs to a person: the page comes first.
    const type = negotiate(request, ['text/html', 'application/json']);
    const verdict = await check({ db, log: request.log }, request.params);
    metrics.verifications.inc({ verdict: verdict.genuine ? 'genuine' : 'not_genuine' });
    void reply.header('vary', 'accept, accept-language');
    if (type === 'application/json') return reply.type(type).send(verdictJson(verdict, issuer));
    const language = request.query.lang ?? pickLanguage(request.headers['accept-language']);
    return sendPage(reply, verifyPage({ verdict, language, issuer }));
  });
}

interface Source {
  readonly db: Db;
  readonly log: FastifyBaseLogger;
}

interface Presented {
  readonly reference: string;
  readonly hash: string;
}

/**
 * The same steps for every reference, known or not: one look-up of a hash and one comparison. More work and time go
 * only to callers who have presented the right hash and so have seen the receipt.
 */
async function check(source: Source, { reference, hash }: Presented): Promise<Verdict> {
  const references = readReference(reference);
  const known = await findVerificationHash(source.db, references);
  if (!matchesHash(known, hash.trim().toLowerCase())) return { genuine: false };
  return verdictOn(source, references);
}

async function verdictOn({ db, log }: Source, references: readonly string[]): Promise<Verdict> {
  const transaction = await findTransaction(db, references);
  const facts = transaction === null ? null : soundFacts(transaction, log);
  if (transaction === null || facts === null) return { genuine: false };
  const reversed = cents(transaction.amount) - cents(transaction.remaining);
  return { genuine: true, facts, ...(reversed === 0n ? {} : { reversedAmount: decimal(reversed) }) };
}

/** Takes the ledger's own decimal strings, which always have two decimals. */
function cents(amount: string): bigint {
  return BigInt(amount.replace('.', ''));
}

function decimal(amount: bigint): string {
  const digits = amount.toString().padStart(3, '0');
  return `${digits.slice(0, -2)}.${digits.slice(-2)}`;
}
