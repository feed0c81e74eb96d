import { endFeeRule, listFeeRules, quoteFee, setFeeRule } from '@repo/db';
import type { FeePayer, FeeRule, FeeRuleView, FeeType } from '@repo/db';
import { callerOf, csvAnswer, lowerCase, prefersCsv, requireIdempotencyKey } from '@repo/http';
import type { CsvList, HttpServer } from '@repo/http';
import type { FastifyRequest } from 'fastify';
import type { RouteContext } from '../dependencies.ts';
import { END_SCHEMA, LIST_SCHEMA, QUOTE_SCHEMA, SET_SCHEMA } from './fee-schemas.ts';
import { statusOf } from './posted.ts';

/** Adds the routes that show, set and end fee rules, and quote what a transaction would cost. */
export function addFeeRoutes(app: HttpServer, { db, requireKey }: RouteContext): void {
  const mayRead = requireKey('read');

  app.get('/fee-rules', { onRequest: mayRead, schema: LIST_SCHEMA }, async (request, reply) => {
    const isCsv = prefersCsv(request);
    const { at, all } = request.query;
    const rules = await listFeeRules(db, { isAll: all === 'true', at });
    if (!isCsv) return { items: rules.map(viewBody), nextCursor: null };
    return csvAnswer(reply, { name: 'fee-rules', columns: COLUMNS, rows: rules.map(ruleBody) });
  });

  const set = { onRequest: [requireKey('admin'), requireIdempotencyKey], schema: SET_SCHEMA };
  app.post('/fee-rules', set, async (request, reply) => {
    const { type, payer, ...facts } = request.body;
    const rule = await setFeeRule(db, {
      ...facts,
      type: FEE_TYPES[type],
      payer: payer === undefined ? undefined : FEE_PAYERS[payer],
      by: nameOf(request),
      idempotencyKey: request.headers['idempotency-key'],
    });
    request.log.info({ feeRule: rule.id }, 'a fee rule was set');
    return reply.code(statusOf(rule)).send(ruleBody(rule));
  });

  app.post('/fee-rules/:id/end', { onRequest: requireKey('admin'), schema: END_SCHEMA }, async (request) => {
    const { at, reason } = request.body;
    const { id } = request.params;
    const rule = await endFeeRule(db, { id, at, reason, by: nameOf(request) });
    request.log.info({ feeRule: rule.id }, 'a fee rule was ended');
    return ruleBody(rule);
  });

  app.get('/fees', { onRequest: mayRead, schema: QUOTE_SCHEMA }, async (request) => {
    const { type, ...facts } = request.query;
    const quote = await quoteFee(db, { ...facts, type: QUOTED[type] });
    return { ...quote, type, payer: quote.payer === null ? null : lowerCase(quote.payer) };
  });
}

const FEE_TYPES = { transfer: 'TRANSFER', withdrawal: 'WITHDRAWAL' } as const satisfies Record<
  string,
  FeeType
>;
const FEE_PAYERS = { sender: 'SENDER', receiver: 'RECEIVER' } as const satisfies Record<string, FeePayer>;
const QUOTED = { ...FEE_TYPES, hold: 'HOLD' } as const;

/** Whose key it is, as it is kept with the change. */
function nameOf(request: FastifyRequest): string {
  const caller = callerOf(request);
  return caller?.name ?? caller?.id ?? 'unknown';
}

function ruleBody(rule: FeeRule) {
  const { id, currency, minAmount, flat, rate } = rule;
  return {
    id,
    type: lowerCase(rule.type),
    currency,
    minAmount,
    flat,
    rate,
    payer: lowerCase(rule.payer),
    validFrom: rule.validFrom.toISOString(),
    validUntil: rule.validUntil?.toISOString() ?? null,
  };
}

function viewBody(rule: FeeRuleView) {
  const history = rule.history.map(({ kind, validUntil, by, reason, at }) => ({
    kind: lowerCase(kind),
    validUntil: validUntil?.toISOString() ?? null,
    by,
    reason,
    at: at.toISOString(),
  }));
  return { ...ruleBody(rule), history };
}

type RuleBody = ReturnType<typeof ruleBody>;

const COLUMNS: CsvList<RuleBody>['columns'] = {
  id: (rule) => rule.id,
  type: (rule) => rule.type,
  currency: (rule) => rule.currency,
  minAmount: (rule) => rule.minAmount,
  flat: (rule) => rule.flat,
  rate: (rule) => rule.rate,
  payer: (rule) => rule.payer,
  validFrom: (rule) => rule.validFrom,
  validUntil: (rule) => rule.validUntil,
};
