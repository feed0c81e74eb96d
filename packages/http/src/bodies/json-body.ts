import type { FastifyInstance } from 'fastify';
import { jsonMembers } from './json-members.ts';
import { httpProblem } from '../problems/problem.ts';
import type { HttpProblem } from '../problems/problem.ts';

/**
 * Takes JSON bodies as the standard has them, in UTF-8: other bytes are refused and not replaced by question marks, or
 * two different requests could become one. A repeated member is refused, for there is no telling which of its values
 * was meant. An empty body counts as absent, whatever the header says: many clients always send it.
 * Bodies of any other type are refused with 415.
 */
export function takeJsonBodies(app: FastifyInstance): void {
  const parse = app.getDefaultJsonParser('error', 'error');
  const decoder = new TextDecoder('utf-8', { fatal: true });
  // The framework takes plain text by itself, and a route would then find a text where it expects an object.
  app.removeContentTypeParser('text/plain');
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body: Buffer, done) => {
    if (body.byteLength === 0) {
      done(null);
      return;
    }
    if ((request.headers['content-encoding'] ?? 'identity') !== 'identity') {
      const detail = 'Send the body without a content encoding.';
      done(httpProblem('unsupported_media_type', { detail }));
      return;
    }
    let text: string;
    try {
      text = decoder.decode(body);
    } catch (cause) {
      done(httpProblem('malformed_request', { detail: 'The body is not UTF-8.', cause }));
      return;
    }
    void parse(request, text, (error, value: unknown) => {
      const problem = error === null ? findRepeat(text) : error;
      if (problem === null) done(null, value);
      else done(problem);
    });
  });
}

function findRepeat(text: string): HttpProblem | null {
  for (const { key, isRepeat } of jsonMembers(text)) {
    if (isRepeat) return repeatedMember(key);
  }
  return null;
}

/** A key that looks like the name of a field is named; any other may be anything, a phone number too. */
function repeatedMember(key: string): HttpProblem {
  const name = /^[A-Za-z_]{1,40}$/.test(key) ? `the member \`${key}\`` : 'a member';
  return httpProblem('repeated_member', { detail: `An object in the body has ${name} twice. Send it once.` });
}
