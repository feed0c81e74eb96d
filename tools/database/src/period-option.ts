// Apart from what all commands share, so that only those which take a period load the database package.
import { refuse } from '@repo/command/command-line';
import { costPeriod, isDaftariError } from '@repo/db';
import type { Period } from '@repo/db';

/** The period of `--from` and `--to`; ends the command with its usage when there is no such period. */
export function readPeriod(
  values: { readonly from?: string | undefined; readonly to?: string | undefined },
  usage: string,
): Period {
  try {
    return costPeriod(values);
  } catch (error) {
    if (!isDaftariError(error)) throw error;
    const option = error.field === undefined ? 'The period' : `--${error.field}`;
    return refuse(
      `${option} cannot be used: take a day such as 2026-11-01, or a time with its zone, and --to not before --from.`,
      usage,
    );
  }
}
