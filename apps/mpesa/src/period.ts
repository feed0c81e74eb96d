import { costPeriod } from '@repo/db';
import { z } from 'zod';

const moment = z
  .string()
  .describe(
    'a day in East Africa Time such as 2026-11-01, or a time with its zone such as 2026-11-01T06:00:00Z',
  );

/** The parameters of a list that say when. */
export const PERIOD_PARAMETERS = {
  from: moment.optional().describe('included; from the beginning when absent'),
  to: moment.optional().describe('a day is included, a time is not; until now when absent'),
};

/** When the first payment can have come. */
const BEGINNING = '2000-01-01T00:00:00Z';

/**
 * The period that a list is asked for; what is not said is not limited.
 *
 * @throws DaftariError `invalid_request` naming the field
 */
export function periodOf({
  from,
  to,
}: {
  readonly from?: string | undefined;
  readonly to?: string | undefined;
}): {
  readonly from?: Date;
  readonly to?: Date;
} {
  const period = costPeriod({ from: from ?? BEGINNING, to });
  return {
    ...(from === undefined ? {} : { from: period.from }),
    ...(to === undefined ? {} : { to: period.to }),
  };
}
