import { LogController } from 'fastify';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { pino } from 'pino';
import type { DestinationStream, Logger } from 'pino';
import { callerOf } from '../callers/api-key.ts';
import { createErrorSerializer } from '../problems/error-log.ts';
import type { TrustedError } from '../problems/error-log.ts';

export interface LoggerOptions {
  /** The name of the service, on every line. */
  readonly service: string;
  /** The least severe level that is written: `fatal` ... `trace`, or `silent`. */
  readonly level: string;
  /** Texts of 8 or more characters that must never be written, such as the token in the callback URL. */
  readonly secrets?: readonly string[];
  /** Classes of errors whose messages hold no personal data. */
  readonly trustedErrors?: readonly TrustedError[];
  /** Where the lines go; standard output when absent. */
  readonly destination?: DestinationStream;
}

/**
 * Creates a logger that writes one JSON object a line. Lines are written at once and not buffered,
 * so that the last line before a crash is there; and a process whose log nobody reads any more can still end, which a
 * buffer that cannot be emptied would prevent.
 */
export function createLogger(options: LoggerOptions): Logger {
  // A text as short as a word of the log itself would garble every line.
  const secrets = (options.secrets ?? []).filter((secret) => secret.length >= 8);
  return pino(
    {
      level: options.level,
      base: { service: options.service, pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: {
        err: createErrorSerializer(options.trustedErrors ?? []),
        // Nothing here logs whole requests; should the framework do so, it gets the pattern, not the URL.
        req: (request: FastifyRequest) => ({ method: request.method, route: routeOf(request) }),
      },
      hooks: {
        streamWrite: (line) => secrets.reduce((text, secret) => text.replaceAll(secret, '[secret]'), line),
      },
    },
    options.destination ?? pino.destination({ dest: 1, sync: true }),
  );
}

/** Writes one line for each answered request, by route pattern: the URL may hold a secret or a phone number. */
export class RequestLog extends LogController {
  override incomingRequest(): void {
    // One line a request is enough: it is written when the answer is known.
  }

  override requestCompleted(
    error: Error | null | undefined,
    request: FastifyRequest,
    reply: FastifyReply,
  ): void {
    const caller = callerOf(request);
    const line = {
      method: request.method,
      route: routeOf(request),
      status: reply.statusCode,
      // Who did it, by the name of the key and not the key.
      ...(caller === null ? {} : { caller: caller.id }),
      ms: Math.round(reply.elapsedTime * 100) / 100,
    };
    if (error) request.log.error({ ...line, err: error }, 'the answer could not be sent');
    else if (isRoutine(request)) request.log.debug(line, 'answered');
    else request.log.info(line, 'answered');
  }

  override defaultErrorLog(error: Error, request: FastifyRequest): void {
    request.log.error({ err: error }, 'the request failed');
  }

  override routeNotFound(): void {
    // The completed line says it, without the URL.
  }

  override writeHeadError(error: Error, request: FastifyRequest): void {
    request.log.warn({ err: error }, 'the answer has no valid headers');
  }
}

/** Probes and scrapes come every few seconds and would bury everything else. */
function isRoutine(request: FastifyRequest): boolean {
  return /^\/(health|metrics|docs)(\/|$)/.test(routeOf(request));
}

function routeOf(request: FastifyRequest): string {
  return request.routeOptions.url ?? 'unmatched';
}
