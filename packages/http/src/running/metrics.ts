import { Histogram, Registry, collectDefaultMetrics } from 'prom-client';
import type { KeyGuard } from '../callers/api-key.ts';
import type { HttpServer } from '../http-server.ts';

/** Bounds in seconds: from a deposit that found an idle database to a callback that its sender gave up on. */
const DURATION_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** Creates the registry of one server, so that two servers in one process do not share numbers. */
export function createRegistry(service: string): Registry {
  const registry = new Registry();
  registry.setDefaultLabels({ service });
  return registry;
}

/** Measures every request by method, route pattern and status, and serves the registry at `GET /metrics`. */
export function addMetrics(app: HttpServer, registry: Registry, guard: KeyGuard): void {
  collectDefaultMetrics({ register: registry });
  const duration = new Histogram({
    name: 'http_request_duration_seconds',
    help: 'Time from the request until its answer was sent, in seconds.',
    labelNames: ['method', 'route', 'status'],
    buckets: DURATION_BUCKETS,
    registers: [registry],
  });

  app.addHook('onResponse', (request, reply, done) => {
    // The route's pattern and not its URL: a label must have few values, and the URL may hold a secret.
    const route = request.routeOptions.url ?? 'unmatched';
    duration.observe({ method: request.method, route, status: reply.statusCode }, reply.elapsedTime / 1_000);
    done();
  });

  app.get('/metrics', { onRequest: guard, schema: { hide: true } }, async (_request, reply) => {
    return reply.type(registry.contentType).send(await registry.metrics());
  });
}
