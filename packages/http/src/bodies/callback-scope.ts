import type { ServerResponse } from 'node:http';
import type { FastifyRequest } from 'fastify';
import type { HttpServer } from '../http-server.ts';
import { httpProblem } from '../problems/problem.ts';
import { rawBodyOf, takeRawBodies } from './raw-body.ts';
import { createSecretCheck } from '../callers/secrets.ts';

export interface CallbackScopeOptions {
  /** What precedes the token in the paths: `/c2b`. */
  readonly roots: readonly string[];
  /** The secret in the path; a wrong one is answered like an unknown path. */
  readonly token: string;
  /** Keeps a body that came with the right token but to no route, or with another method than POST. */
  readonly keepStray: (request: FastifyRequest, reason: StrayReason) => Promise<void>;
  /** Does the work for a message whose body is read, as soon as there is room (`Server.admit`). */
  readonly admit: Admit;
}

/** Does the work that leads to an answer, now or as soon as there is room. */
export type Admit = <Result>(answer: ServerResponse, work: () => Promise<Result> | Result) => Promise<Result>;

type StrayReason = 'unknown_path' | 'method_not_post';

/** The largest callback that is read as a message: real ones have less than one KiB. Of a longer one only this is kept. */
const MAX_BYTES = 65_536;

/**
 * Adds routes for messages whose sender cannot be asked to send them again in another way: `define` adds those for
 * POST below `<root>/:token`. They take every body as bytes and no schema refuses anything. What comes to another path
 * below the token, or with another method, is refused, but its body is kept.
 */
export async function addCallbackScope(
  app: HttpServer,
  options: CallbackScopeOptions,
  define: (scope: HttpServer) => void,
): Promise<void> {
  const isToken = createSecretCheck(options.token);
  await app.register((scope: HttpServer, _options, done) => {
    scope.addHook('onRequest', (request, _reply, next) => {
      const { token } = request.params as { token: string };
      next(isToken(token) ? undefined : httpProblem('not_found'));
    });
    takeRawBodies(scope, MAX_BYTES);
    // Once its body is read a message waits here as long as it must: it has reached us, and nobody sends it again.
    scope.addHook('onRoute', (route) => {
      const { handler } = route;
      route.handler = function admitted(request, reply) {
        return options.admit(reply.raw, () => handler.call(this, request, reply));
      };
    });
    // The schemas describe; nothing is refused by them, and no answer is checked.
    scope.setValidatorCompiler(() => (value: unknown) => ({ value }));
    define(scope);
    for (const root of options.roots) addStrayRoutes(scope, root, options.keepStray);
    done();
  });
}

function addStrayRoutes(scope: HttpServer, root: string, keep: CallbackScopeOptions['keepStray']): void {
  for (const url of [`${root}/:token`, `${root}/:token/*`]) {
    const isFree = (method: string) => !scope.hasRoute({ method, url });
    scope.route({
      method: scope.supportedMethods.filter(isFree),
      url,
      schema: { hide: true },
      exposeHeadRoute: false,
      handler: async (request) => {
        const body = rawBodyOf(request);
        const isPost = request.method === 'POST';
        const isKept = body.bytes.length > 0 || isPost;
        if (isKept) await keep(request, isPost ? 'unknown_path' : 'method_not_post');
        const detail = isKept ? 'What was sent is kept for people to look at.' : undefined;
        const more = detail === undefined ? {} : { detail };
        if (isPost) throw httpProblem('not_found', more);
        throw httpProblem('method_not_allowed', { ...more, headers: { allow: 'POST' } });
      },
    });
  }
}

/** A path that is written as it must be, which is nearly every one; capitals may stand in the token alone. */
const TIDY = /^\/[a-z0-9-]+\/[\w.~-]+(?:\/[a-z0-9_.~-]+)*$/;

/**
 * The path that was meant, for a server's `rewriteUrl`: below the roots (`/c2b`) repeated slashes, slashes at the end,
 * capitals and needless percent-encoding make no difference. The token stays as it is.
 */
export function tidyCallbackPath(roots: readonly string[], url: string): string {
  if (TIDY.test(url)) return url;
  const [path = '', query] = url.split(/(?=[?#])(.*)/s);
  const [root = '', token, ...rest] = segmentsOf(path);
  if (token === undefined || !roots.includes(`/${root.toLowerCase()}`)) return url;
  const tidy = [root.toLowerCase(), token, ...rest.map((segment) => segment.trim().toLowerCase())];
  return `/${tidy.map((segment) => encodeURIComponent(segment)).join('/')}${query ?? ''}`;
}

/** Whether a URL leads below one of the roots, to a token at least. */
export function isCallbackUrl(roots: readonly string[], url: string): boolean {
  const [root = '', token] = segmentsOf(url.split(/[?#]/)[0] ?? '');
  return token !== undefined && roots.includes(`/${root.toLowerCase()}`);
}

function segmentsOf(path: string): string[] {
  return path
    .replace(/^https?:\/\/[^/]*/i, '')
    .split('/')
    .filter((segment) => segment !== '')
    .map(decoded);
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    // Not percent-encoding at all: then the percent sign is a percent sign.
    return segment;
  }
}
