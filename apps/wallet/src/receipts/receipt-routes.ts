import { negotiate, problemResponse } from '@repo/http';
import type { HttpServer } from '@repo/http';
import { pickLanguage, publicJwks, receiptHtml, receiptJson, receiptPdf } from '@repo/receipts';
import type { Language, Receipt, SigningKeys } from '@repo/receipts';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import type { RouteContext } from '../dependencies.ts';
import { lang, maskedFacts } from './masked-facts.ts';
import { sendPage } from './pages.ts';
import { issueReceipt } from './receipt-source.ts';
import type { Issued } from './receipt-source.ts';
import { readReference } from '../ledger/reference.ts';
import { KEY_PROBLEMS, LIMIT_PROBLEM, secured } from '../responses.ts';

const MEDIA_TYPES = ['application/json', 'text/html', 'application/pdf'] as const;

type MediaType = (typeof MEDIA_TYPES)[number];

const BY_EXTENSION = { json: 'application/json', html: 'text/html', pdf: 'application/pdf' } as const;

type Extension = keyof typeof BY_EXTENSION;

const EXTENSIONS: readonly Extension[] = ['json', 'html', 'pdf'];

const RECEIPT_SCHEMA = {
  operationId: 'getReceipt',
  ...secured('receipts', 'The signed receipt of a transaction, as JSON, as a page or as a PDF.'),
  description:
    'The form is chosen by `Accept`, or by `.json`, `.html` or `.pdf` behind the reference. The page and the PDF are in the language of the wallet that paid, or of the one that was paid if the payer has no language. `lang` chooses another.',
  params: z.object({ reference: z.string().describe('the reference, with or without an extension') }),
  querystring: z.strictObject({
    paper: z
      .enum(['a4', 'roll'])
      .default('a4')
      .describe('the paper of the page and the PDF: A4, or an 80 mm till roll'),
    lang: lang.optional(),
    for: z
      .enum(['from', 'to'])
      .default('from')
      .describe('which side is to read it, in whose language it is when `lang` is absent'),
  }),
  response: {
    200: {
      description: 'The receipt. Parties are masked.',
      content: {
        'application/json': {
          schema: maskedFacts
            .extend({
              verifyUrl: z.string().describe('the public page that checks it'),
              jws: z
                .string()
                .describe('the same facts as compact JWS; its keys are at /.well-known/jwks.json'),
            })
            .meta({ id: 'Receipt' }),
        },
        'text/html': { schema: z.string() },
        'application/pdf': { schema: z.string() },
      },
    },
    ...KEY_PROBLEMS,
    404: problemResponse('`unknown_transaction`: no transaction has this reference.'),
    406: problemResponse('`Accept` wants none of the three forms.'),
    409: problemResponse('`receipt_not_ready`: the transaction is older than the verification hashes.'),
    422: problemResponse('A parameter is unknown or wrong.'),
    ...LIMIT_PROBLEM,
  },
};

const JWKS_SCHEMA = {
  operationId: 'getReceiptKeys',
  tags: ['receipts'],
  summary: 'The public keys of the receipts, for checking them offline.',
  response: {
    200: z
      .object({
        keys: z.array(
          z
            .object({
              kty: z.literal('OKP'),
              crv: z.literal('Ed25519'),
              x: z.string(),
              kid: z.string(),
              alg: z.literal('EdDSA'),
              use: z.literal('sig'),
            })
            .meta({ id: 'ReceiptKey' }),
        ),
      })
      .meta({ id: 'ReceiptKeys' }),
  },
};

export interface ReceiptRouteOptions {
  readonly keys: SigningKeys;
  /** Where the public reaches the service; asked when a receipt is made. */
  readonly baseUrl: () => string;
}

/** Adds `GET /receipts/:reference` and the public keys. */
export function addReceiptRoutes(
  app: HttpServer,
  { db, issuer, limits, requireKey }: RouteContext,
  { keys, baseUrl }: ReceiptRouteOptions,
): void {
  const options = { onRequest: requireKey('read'), schema: RECEIPT_SCHEMA };
  app.get('/receipts/:reference', options, (request, reply) =>
    limits.countMisses(request, async () => {
      const { whole, cut, extension } = splitName(request.params.reference);
      const source = { db, keys, baseUrl: baseUrl(), issuer, log: request.log };
      const { receipt, languages } = await issueReceipt(source, [...whole, ...cut]);
      const isWhole = whole.includes(receipt.facts.reference);
      const type = extension === null || isWhole ? negotiate(request, MEDIA_TYPES) : BY_EXTENSION[extension];
      void reply.header('vary', 'accept, accept-language');
      const { paper, lang: asked, for: side } = request.query;
      const language =
        asked ?? languageFor(languages, side) ?? pickLanguage(request.headers['accept-language']);
      return sendReceipt(reply, receipt, { type, paper, language });
    }),
  );

  app.get('/.well-known/jwks.json', { schema: JWKS_SCHEMA }, (_request, reply) => {
    // Short enough that a new key is known before receipts signed with it have gone far.
    void reply.header('cache-control', 'public, max-age=300');
    return { keys: publicJwks(keys).keys.map((key) => ({ ...key })) };
  });
}

/** What that side's holder is written in, or the other's where that side is a system wallet. */
function languageFor(languages: Issued['languages'], side: 'from' | 'to'): Language | null {
  return languages[side] ?? languages[side === 'from' ? 'to' : 'from'];
}

interface Form {
  readonly type: MediaType;
  readonly paper: 'a4' | 'roll';
  readonly language: Language;
}

async function sendReceipt(
  reply: FastifyReply,
  receipt: Receipt,
  { type, ...render }: Form,
): Promise<FastifyReply> {
  if (type === 'application/json') return reply.type(type).send(receiptJson(receipt));
  if (type === 'text/html') return sendPage(reply, receiptHtml(receipt, render));
  const file = `receipt-${receipt.facts.reference.replaceAll(/[^A-Za-z0-9-]/g, '_')}.pdf`;
  return reply
    .type(type)
    .header('content-disposition', `inline; filename="${file}"`)
    .send(Buffer.from(await receiptPdf(receipt, render)));
}

interface Name {
  /** The references that the whole name may be. */
  readonly whole: readonly string[];
  /** The references that it may be without its extension; empty if it has no extension. */
  readonly cut: readonly string[];
  readonly extension: Extension | null;
}

/** An old reference may itself end like a file, so the whole name counts too, and first. */
function splitName(text: string): Name {
  const whole = readReference(text);
  const [, name, ending] = /^(.+)\.([a-z]+)$/is.exec(text) ?? [];
  const extension = EXTENSIONS.find((each) => each === ending?.toLowerCase());
  if (name === undefined || extension === undefined) return { whole, cut: [], extension: null };
  return { whole, cut: readReference(name), extension };
}
