import { createApiKey, revokeApiKey } from '@repo/db';
import { HttpProblem, callerOf, httpProblem, optionalIdempotencyHeaders, problemResponse } from '@repo/http';
import type { HttpServer, KeyCache } from '@repo/http';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { SCOPES } from './dependencies.ts';
import type { RouteContext, Scope } from './dependencies.ts';
import { plainText } from './fields.ts';
import { KEY_PROBLEMS, secured } from './responses.ts';

const CREATE_SCHEMA = {
  operationId: 'createApiKey',
  ...secured('keys', 'Makes an API key. It is shown this once; only its hash is kept.'),
  headers: optionalIdempotencyHeaders,
  body: z
    .strictObject({
      name: plainText(100).describe('whose key it is'),
      scopes: z
        .array(z.enum(SCOPES))
        .min(1)
        .describe('read; transact: move money and open wallets; admin: the rest'),
    })
    .meta({ examples: [{ name: 'Shop till 7', scopes: ['read', 'transact'] }] }),
  response: {
    201: z
      .object({ id: z.string(), name: z.string(), scopes: z.array(z.enum(SCOPES)), key: z.string() })
      .meta({ id: 'NewApiKey' }),
    ...KEY_PROBLEMS,
    409: problemResponse(
      '`already_created`: the key was made before, for the same `Idempotency-Key`; `location` names it. It cannot be shown again: if the first answer was lost, revoke it and make another. `key_reused`: the `Idempotency-Key` was used for another request.',
    ),
    422: problemResponse('A field is missing, unknown or wrong.'),
  },
};

const REVOKE_SCHEMA = {
  operationId: 'revokeApiKey',
  ...secured('keys', 'Revokes an API key: within seconds nobody gets in with it. A repeat does nothing.'),
  params: z.object({ id: z.guid().describe('the id of the key') }),
  response: {
    204: z.undefined().describe('The key is of no use from now on.'),
    ...KEY_PROBLEMS,
    422: problemResponse('The id is not one.'),
  },
};

/** Adds the routes that make and revoke API keys. */
export function addApiKeyRoutes(app: HttpServer, { db, requireKey }: RouteContext, cache: KeyCache): void {
  const create = { onRequest: requireKey('admin'), schema: CREATE_SCHEMA };
  app.post('/api-keys', create, async (request, reply) => {
    const { name } = request.body;
    const granted = [...new Set(request.body.scopes)];
    requireScopes(request, granted);
    const idempotencyKey = request.headers['idempotency-key'];
    const { id, key } = await createApiKey(db, {
      name,
      scopes: granted,
      ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
    });
    if (key === null) throw alreadyMade(id);
    request.log.info({ apiKey: id, scopes: granted }, 'an API key was made');
    return reply.code(201).send({ id, name, scopes: granted, key });
  });

  app.delete(
    '/api-keys/:id',
    { onRequest: requireKey('admin'), schema: REVOKE_SCHEMA },
    async (request, reply) => {
      const { id } = request.params;
      await revokeApiKey(db, id);
      cache.forget(id);
      request.log.info({ apiKey: id }, 'an API key was revoked');
      return reply.code(204).send();
    },
  );
}

/** The answer to a repeat: the secret is kept as a hash alone, so nobody can say it again. */
function alreadyMade(id: string): HttpProblem {
  return new HttpProblem({
    code: 'already_created',
    status: 409,
    title: 'This was created before.',
    detail: `The API key ${id} was made for this \`Idempotency-Key\` and cannot be shown again. If the answer was lost, revoke it and make another with a new \`Idempotency-Key\`.`,
    headers: { location: `/api-keys/${id}` },
  });
}

/** Nobody gives away what they do not have. */
function requireScopes(request: FastifyRequest, wanted: readonly Scope[]): void {
  const own = callerOf(request)?.scopes ?? [];
  const lacking = own.includes('*') ? [] : wanted.filter((scope) => !own.includes(scope));
  if (lacking.length > 0) {
    throw httpProblem('forbidden', {
      detail: `This API key cannot grant what it lacks: ${lacking.join(', ')}.`,
    });
  }
}
