import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import { jsonSchemaTransform, jsonSchemaTransformObject } from 'fastify-type-provider-zod';
import { httpProblem } from './problem.ts';
import type { HttpServer } from './http-server.ts';

export interface DocsOptions {
  readonly title: string;
  readonly description: string;
  readonly version: string;
}

/**
 * Serves the OpenAPI description at `/docs/json` and a page to read it at `/docs`.
 * It is open: it describes the service and holds no data, and a browser cannot send a key for a page.
 */
export async function addDocs(app: HttpServer, options: DocsOptions): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: options.title, description: options.description, version: options.version },
      components: { securitySchemes: { apiKey: { type: 'http', scheme: 'bearer' } } },
    },
    transform: jsonSchemaTransform,
    transformObject: jsonSchemaTransformObject,
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
