import type { FastifyInstance } from 'fastify';
import { httpProblem } from './problem.ts';

/**
 * Takes JSON bodies as the standard has them, in UTF-8: other bytes are refused and not replaced by question marks, or
 * two different requests could become one. No body at all is none, whatever the header says: many clients always send
 * it.
 */
export function takeJsonBodies(app: FastifyInstance): void {
  const parse = app.getDefaultJsonParser('error', 'error');
  const decoder = new TextDecoder('utf-8', { fatal: true });
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body: Buffer, done) => {
    if (body.byteLength === 0) {
      done(null);
      return;
    }
    let text: string;
    try {
      text = decoder.decode(body);
    } catch (cause) {
      done(httpProblem('malformed_request', { detail: 'The body is not UTF-8.', cause }));
      return;
    }
    void parse(request, text, done);
  });
}
