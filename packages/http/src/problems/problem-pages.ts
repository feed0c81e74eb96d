import { z } from 'zod';
import type { HttpServer } from '../http-server.ts';
import { httpProblem } from './problem.ts';
import type { ProblemKind } from './problem.ts';

const POLICY = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/** Adds the pages to which the `type` of a problem leads: `GET /problems/:code`, open as the documentation is. */
export function addProblemPages(app: HttpServer, problems: Readonly<Record<string, ProblemKind>>): void {
  const params = z.object({ code: z.string() });
  app.get('/problems/:code', { schema: { hide: true, params } }, (request, reply) => {
    const { code } = request.params;
    const kind = Object.hasOwn(problems, code) ? problems[code] : undefined;
    if (kind === undefined) throw httpProblem('not_found', { detail: 'No problem has this code.' });
    return reply
      .type('text/html; charset=utf-8')
      .headers({ 'content-security-policy': POLICY, 'referrer-policy': 'no-referrer' })
      .send(pageOf(code, kind));
  });
}

function pageOf(code: string, { status, title, advice }: ProblemKind): string {
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${code}</title>
<h1>${escaped(title)}</h1>
<p>Code <code>${code}</code>, HTTP status ${String(status)}.</p>
<p>${escaped(advice).replaceAll(/`([^`]+)`/g, '<code>$1</code>')}</p>
<p><a href="/docs">The description of the API</a></p>
</html>
`;
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
