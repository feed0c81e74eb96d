import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import fastify from 'fastify';
import type { FastifyBaseLogger } from 'fastify';
import { serializerCompiler, validatorCompiler } from 'fastify-type-provider-zod';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import type { DestinationStream } from 'pino';
import type { Registry } from 'prom-client';
import { createKeyGuard } from './callers/api-key.ts';
import type { ApiKey, FindKey, KeyGuard } from './callers/api-key.ts';
import { isCallbackUrl, tidyCallbackPath } from './bodies/callback-scope.ts';
import type { Admit } from './bodies/callback-scope.ts';
import { limitClients } from './running/client-limit.ts';
import { answerClientError, answerConnect, answerExpectation } from './problems/client-error.ts';
import { commonHeaders } from './common-headers.ts';
import { followConnections } from './running/connections.ts';
import type { Connections } from './running/connections.ts';
import { DeadlineError } from './running/deadline.ts';
import { addDocs } from './docs.ts';
import { problemKindsOf } from './problems/domain-problems.ts';
import type { TrustedError } from './problems/error-log.ts';
import { createErrorHandler, sendProblem, toProblem } from './problems/errors.ts';
import type { ErrorRules } from './problems/errors.ts';
import { createGate } from './running/gate.ts';
import { addHealthRoutes } from './running/health.ts';
import type { ReadinessCheck } from './running/health.ts';
import type { HttpServer } from './http-server.ts';
import { takeJsonBodies } from './bodies/json-body.ts';
import { createLifecycle } from './running/lifecycle.ts';
import type { Lifecycle } from './running/lifecycle.ts';
import { RequestLog, createLogger } from './running/log.ts';
import { addLoadMetrics } from './running/load-metrics.ts';
import { addMetrics, createRegistry } from './running/metrics.ts';
import { followPaths, ROUTER_OPTIONS } from './path-methods.ts';
import type { PathMethods } from './path-methods.ts';
import { HttpProblem, httpProblem, sharedProblems } from './problems/problem.ts';
import type { ProblemKind } from './problems/problem.ts';
import { addProblemPages } from './problems/problem-pages.ts';

export interface ServerOptions extends ErrorRules {
  /** The name of the service, in logs and metrics. */
  readonly service: string;
  /** One sentence for the API description. */
  readonly description: string;
  readonly version: string;
  readonly logLevel: string;
  /** Where log lines go; standard output when absent. */
  readonly logDestination?: DestinationStream;
  /** Texts that must never appear in the log. */
  readonly secrets?: readonly string[];
  /** Classes of errors whose messages hold no personal data, besides those of this package. */
  readonly trustedErrors?: readonly TrustedError[];
  /** The keys that may call guarded routes. */
  readonly apiKeys: readonly ApiKey[];
  /** Finds the caller of a key that is not among `apiKeys`; without it those are all. */
  readonly findKey?: FindKey;
  /**
   * Says whether the service can do its work now. If it rejects with the code `schema_outdated`, `schema_newer`,
   * `database_not_primary` or `database_not_durable`, callers see that code.
   */
  readonly readiness: ReadinessCheck;
  /** The kinds of problems that the service has besides the shared ones and the refusals of its domain, by code. */
  readonly problems?: Readonly<Record<string, ProblemKind>>;
  /** Addresses or networks of proxies whose `X-Forwarded-For` is believed; none when absent. */
  readonly trustProxy?: readonly string[];
  /** What precedes the token in the paths of callbacks (`/c2b`): below it a path may be written untidily. */
  readonly callbackRoots?: readonly string[];
  /** The largest JSON body in bytes. Default: 64 KiB. */
  readonly bodyLimit?: number;
  /** Callbacks that are worked on at the same time; others wait, with their bodies read. Default: 2,000. */
  readonly maxCallbacks?: number;
  /**
   * Requests of clients that are under way at the same time; others are refused at once. Callbacks, health and metrics
   * are none. Default: 2,000.
   */
  readonly maxClients?: number;
  /** Requests that are read and not answered; at that number nothing more is read. Default: 8,000. */
  readonly maxUnderWay?: number;
  /** Time for a request to arrive as a whole, in milliseconds. Default: 30,000. */
  readonly requestTimeoutMs?: number;
}

/** A server and what belongs to it. */
export interface Server {
  readonly app: HttpServer;
  readonly connections: Connections;
  /** For the callbacks of `addCallbackScope`, which share the room that this server has for them. */
  readonly admit: Admit;
  readonly lifecycle: Lifecycle;
  /** Whether the service can do its work now: the `readiness` that it was built with. */
  readonly checkReadiness: ReadinessCheck;
  /** The server's own registry, for metrics of the domain. */
  readonly metrics: Registry;
  /** Builds the hook that guards a route: `{ onRequest: requireKey('deposits:read') }`. */
  readonly requireKey: (scope: string) => KeyGuard;
}

/** How often requests are looked for that take too long to arrive; milliseconds. */
const LATE_SWEEP_MS = 1_000;

/** What tells operators how the service is, above all when it has too much to do. */
const ALWAYS_ANSWERED = new Set<string | undefined>(['/health/live', '/health/ready', '/metrics']);

/** Time for a request to arrive as a whole: long for a phone network, too short to hold sockets for free. */
const USUAL_REQUEST_TIMEOUT_MS = 30_000;

/**
 * Builds a server with everything the services share: request ids, JSON logs, problem details, OpenAPI at
 * `/docs`, health at `/health/live` and `/health/ready`, metrics at `/metrics` (behind a key). It does not listen.
 */
export async function createServer(options: ServerOptions): Promise<Server> {
  const lifecycle = createLifecycle();
  const metrics = createRegistry(options.service);
  const requireKey = createKeyGuard(options.apiKeys, options.findKey);
  const app = buildFastify(options);
  const connections = followConnections(app.server, options.maxUnderWay ?? 8_000);
  const gate = createGate(options.maxCallbacks ?? 2_000);
  const countOverload = addLoadMetrics(metrics, { connections, gate });
  const callbackRoots = options.callbackRoots ?? [];
  app.server.on('checkExpectation', (request, response) => {
    // What a sender expects besides 100-continue is no reason to turn its message away unread.
    if (isCallbackUrl(callbackRoots, request.url ?? '')) app.server.emit('request', request, response);
    else answerExpectation(request, response);
  });
  app.server.on('connect', answerConnect);

  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  app.setErrorHandler(createErrorHandler(options, countOverload));
  takeJsonBodies(app);
  app.setNotFoundHandler(() => {
    // A route with a wildcard, such as the files of the documentation, has looked for itself and found nothing.
    throw httpProblem('not_found');
  });
  limitClients(app, {
    most: options.maxClients ?? 2_000,
    isExempt: ({ url, routeOptions }) =>
      isCallbackUrl(callbackRoots, url) || ALWAYS_ANSWERED.has(routeOptions.url),
  });
  addRequestHooks(app, followPaths(app), callbackRoots);
  addLifecycleHooks(app, lifecycle);

  const refusals = options.domain === undefined ? {} : problemKindsOf(options.domain);
  const problems = { ...refusals, ...sharedProblems, ...options.problems };
  await addDocs(app, { ...options, title: `Daftari ${options.service}`, codes: Object.keys(problems) });
  addProblemPages(app, problems);
  addMetrics(app, metrics, requireKey('read'));
  addHealthRoutes(app, lifecycle, options.readiness);
  const admit: Admit = (answer, work) => connections.workFor(answer, () => gate.pass(work));
  return { app, admit, connections, lifecycle, checkReadiness: options.readiness, metrics, requireKey };
}

function buildFastify(options: ServerOptions): HttpServer {
  const loggerInstance: FastifyBaseLogger = createLogger({
    service: options.service,
    level: options.logLevel,
    trustedErrors: [HttpProblem, DeadlineError, ...(options.trustedErrors ?? [])],
    ...(options.secrets === undefined ? {} : { secrets: options.secrets }),
    ...(options.logDestination === undefined ? {} : { destination: options.logDestination }),
  });
  const requestTimeout = options.requestTimeoutMs ?? USUAL_REQUEST_TIMEOUT_MS;
  return fastify({
    loggerInstance,
    logController: new RequestLog({ requestIdLogLabel: 'requestId' }),
    // A caller's own id could carry anything into the log, so every request gets one of ours.
    genReqId: () => randomUUID(),
    trustProxy:
      options.trustProxy === undefined || options.trustProxy.length === 0 ? false : [...options.trustProxy],
    bodyLimit: options.bodyLimit ?? 65_536,
    requestTimeout,
    http: {
      headersTimeout: requestTimeout,
      // Node looks for requests that are late at this interval, by itself only every 30 seconds.
      connectionsCheckingInterval: Math.min(requestTimeout, LATE_SWEEP_MS),
      // Checked by a hook, whose answer is a problem document.
      requireHostHeader: false,
    },
    routerOptions: ROUTER_OPTIONS,
    rewriteUrl: ({ url = '/' }) => tidyCallbackPath(options.callbackRoots ?? [], url),
    // What still arrives on an open connection while the server stops is served, not turned away.
    return503OnClosing: false,
    clientErrorHandler: answerClientError,
    frameworkErrors: (error, _request, reply) => {
      void sendProblem(reply, toProblem(error, options));
    },
  }).withTypeProvider<ZodTypeProvider>();
}

function addRequestHooks(app: HttpServer, paths: PathMethods, callbackRoots: readonly string[]): void {
  app.addHook('onRequest', (request, reply, done) => {
    void reply.headers(commonHeaders(request.id));
    if (!hasOneHost(request.raw) && !isCallbackUrl(callbackRoots, request.url)) {
      done(httpProblem('malformed_request', { detail: 'Send one `Host` header.' }));
      return;
    }
    if (!request.is404) {
      done();
      return;
    }
    // Decided before a body is read, so that an unknown path answers the same whatever is sent to it.
    const allow = paths.allowed(request.url);
    if (allow !== null && request.method === 'OPTIONS') {
      void reply.code(204).header('allow', allow).send();
      return;
    }
    done(
      allow === null ? httpProblem('not_found') : httpProblem('method_not_allowed', { headers: { allow } }),
    );
  });
}

/** As HTTP/1.1 demands it; the raw headers are names and values in turn. */
function hasOneHost({ httpVersion, rawHeaders }: IncomingMessage): boolean {
  const hosts = rawHeaders.filter((name, index) => index % 2 === 0 && name.toLowerCase() === 'host');
  return hosts.length === 1 || httpVersion !== '1.1';
}

function addLifecycleHooks(app: HttpServer, lifecycle: Lifecycle): void {
  app.addHook('onSend', async (_request, reply) => {
    if (lifecycle.phase === 'stopping') void reply.header('connection', 'close');
  });
  app.addHook('onListen', (done) => {
    lifecycle.run();
    done();
  });
  app.addHook('preClose', (done) => {
    lifecycle.stop();
    done();
  });
}
