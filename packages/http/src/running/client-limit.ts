import type { FastifyRequest } from 'fastify';
import type { HttpServer } from '../http-server.ts';
import { httpProblem } from '../problems/problem.ts';

export interface ClientLimit {
  /** Requests that may be under way at the same time. */
  readonly most: number;
  /** Whether a request is let in whatever is under way, and not counted. */
  readonly isExempt: (request: FastifyRequest) => boolean;
}

/** How soon a client that was refused may come again, in seconds. */
const COME_AGAIN = '1';

/**
 * Refuses a request with 503 `overloaded` at once while `most` others are under way: they would wait longer than their
 * senders do, and all that is known of this one is its head. A client can send it again, unlike whoever sends callbacks.
 *
 * Add it before every other hook: what is refused must cost little, or the refusals alone fill the process.
 */
export function limitClients(app: HttpServer, { most, isExempt }: ClientLimit): void {
  let underWay = 0;
  app.addHook('onRequest', (request, reply, done) => {
    if (isExempt(request)) {
      done();
      return;
    }
    if (underWay >= most) {
      done(httpProblem('overloaded', { headers: { 'retry-after': COME_AGAIN } }));
      return;
    }
    underWay += 1;
    // Also when its sender is gone, which ends no work: then nobody is answered, and the connection is closed.
    reply.raw.once('close', () => {
      underWay -= 1;
    });
    done();
  });
}
