import { negotiate } from '@repo/http';
import type { HttpServer } from '@repo/http';

/**
 * Lets every route behind a key that answers with JSON alone refuse a request that wants no JSON, before anything is
 * done: 406, as routes with several forms do. Probes and the published keys answer whatever is asked of them.
 */
export function refuseOtherForms(app: HttpServer): void {
  app.addHook('preValidation', async (request) => {
    const { schema } = request.routeOptions;
    if (schema?.security !== undefined && answersJsonOnly(schema.response)) {
      negotiate(request, ['application/json']);
    }
  });
}

/** Whether the description of a route's success names no other form, as one with `content` does. */
function answersJsonOnly(response: unknown): boolean {
  if (typeof response !== 'object' || response === null) return false;
  const successes = Object.entries(response).filter(([status]) => status.startsWith('2'));
  return (
    successes.length > 0 &&
    successes.every(([, answer]) => typeof answer === 'object' && answer !== null && !('content' in answer))
  );
}
