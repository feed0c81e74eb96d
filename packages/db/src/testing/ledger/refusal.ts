import { isDaftariError } from '../../errors.ts';
import type { ErrorCode } from '../../error-codes/catalogue.ts';

/** The code with which a request is refused. One that is not refused, or fails in another way, fails the test. */
export async function refusalOf(request: Promise<unknown>): Promise<ErrorCode> {
  try {
    await request;
  } catch (error) {
    if (isDaftariError(error)) return error.code;
    throw error;
  }
  throw new Error('The request was to be refused, and it was done.');
}
