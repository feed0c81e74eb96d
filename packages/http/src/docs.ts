import swagger from '@fastify/swagger';
import type { SwaggerTransform, SwaggerTransformObject } from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import type { FastifySchema } from 'fastify';
import { jsonSchemaTransform, jsonSchemaTransformObject } from 'fastify-type-provider-zod';
import type { HttpServer } from './http-server.ts';
import { httpProblem, problemResponse } from './problems/problem.ts';

export interface DocsOptions {
  readonly title: string;
  readonly description: string;
  readonly version: string;
  /** The codes of all problems that the service may answer with. */
  readonly codes: readonly string[];
}

const LICENSE = { name: 'MIT', identifier: 'MIT' };

/**
 * Serves the OpenAPI description at `/docs/json` and a page to read it at `/docs`.
 * It is open: it describes the service and holds no data, and a browser cannot send a key for a page.
 */
export async function addDocs(app: HttpServer, options: DocsOptions): Promise<void> {
  const { title, description, version } = options;
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title, description, version, license: LICENSE },
      servers: [{ url: '/', description: 'The service that serves this description.' }],
      components: { securitySchemes: { apiKey: { type: 'http', scheme: 'bearer' } } },
    },
    transform: withCommonAnswers,
    transformObject: withCodes(options.codes),
  });
  await app.register(async (scope) => {
    const answer = scope.errorHandler;
    scope.setErrorHandler((error, request, reply) => {
      // A name that no file can have (`..`, NUL, one too long) is an error to the library that serves the page's files.
      const isFile = request.routeOptions.url === '/docs/static/*';
      return answer(isFile ? httpProblem('not_found') : error, request, reply);
    });
    await scope.register(swaggerUi, {
      routePrefix: '/docs',
      staticCSP: true,
      // Behind a TLS proxy the page is HTTPS anyway; reached directly it is HTTP and must load its own scripts so.
      transformStaticCSP: (header) => header.replace('upgrade-insecure-requests;', ''),
    });
  });
}

/** What any request may be answered, said once for all routes. */
const COMMON_ANSWERS = {
  400: problemResponse('The request cannot be read.'),
  500: problemResponse('The service failed to handle the request.'),
  default: problemResponse('Any other refusal, such as 405 with `Allow`, 408, 417 or 431.'),
};

/** What a request with a body may be answered besides. */
const BODY_ANSWERS = {
  413: problemResponse('The body is too large.'),
  415: problemResponse('The body is not JSON, or its content type does not say so.'),
  422: problemResponse('A field is missing, unknown or wrong.'),
};

const withCommonAnswers: SwaggerTransform = (given) => {
  const schema: FastifySchema | undefined = given.schema;
  if (schema === undefined || schema.hide === true) return jsonSchemaTransform(given);
  const own = schema.response as Readonly<Record<string, unknown>> | undefined;
  const response = {
    ...COMMON_ANSWERS,
    ...(schema.body === undefined ? {} : BODY_ANSWERS),
    ...(schema.params === undefined && schema.querystring === undefined ? {} : { 422: BODY_ANSWERS[422] }),
    ...own,
  };
  return jsonSchemaTransform({ ...given, schema: { security: [], ...schema, response } });
};

/**
 * Lists the codes in the schema of problems, which is made before a service says which it has, and leaves out the
 * named schemas that no route uses: each is made in a form for requests and one for answers.
 */
function withCodes(codes: readonly string[]): SwaggerTransformObject {
  return (given) => {
    const document = jsonSchemaTransformObject(given);
    const schemas = 'components' in document ? document.components?.schemas : undefined;
    if (schemas === undefined) return document;
    const problem = schemas['Problem'];
    const code = problem !== undefined && 'properties' in problem ? problem.properties?.['code'] : undefined;
    if (code !== undefined && !('$ref' in code)) code.enum = [...codes].toSorted();
    for (
      let unused = findUnused(document, schemas);
      unused.length > 0;
      unused = findUnused(document, schemas)
    ) {
      for (const name of unused) delete schemas[name];
    }
    return document;
  };
}

/** Schemas that nothing uses. One may be named by another unused one, so this is repeated until it finds nothing. */
function findUnused(document: object, schemas: Readonly<Record<string, unknown>>): string[] {
  const text = JSON.stringify(document);
  return Object.keys(schemas).filter((name) => !text.includes(`"#/components/schemas/${name}"`));
}
