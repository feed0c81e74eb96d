import type { MaskedFacts } from './masking.ts';
import type { Receipt } from './signed-receipt.ts';

/** The receipt as JSON: the masked facts, where to check them, and the signed form of the same. */
export interface ReceiptJson extends MaskedFacts {
  readonly verifyUrl: string;
  /** Compact JWS; its keys are at `/.well-known/jwks.json`. */
  readonly jws: string;
}

export function receiptJson({ facts, verifyUrl, jws }: Receipt): ReceiptJson {
  return { ...facts, verifyUrl, jws };
}
