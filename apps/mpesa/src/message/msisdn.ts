/** Who paid, as far as the field says it. At most one of the two is set. */
export interface Msisdn {
  /** Digits, `2547...` or `2541...` where the number is Kenyan, or the mask as sent; at most 20 characters. */
  readonly phone: string | null;
  /** SHA-256 of the digits in lower-case hex; masked in the middle when it came so. */
  readonly phoneHash: string | null;
}

const MAX_PHONE_LENGTH = 20;
const HASH_LENGTH = 64;
const NOTHING: Msisdn = { phone: null, phoneHash: null };

/**
 * Reads the payer's number in every shape that M-PESA sends: plain, masked (`2547 ***** 126`), hashed
 * (API version 1), hashed and then masked, a short code (bank payments), empty. It never fails: money does not
 * wait for a number, and the message is kept anyway. A text that is none of these shapes gives nothing; a value
 * that does not fit is never cut.
 */
export function readMsisdn(text: string): Msisdn {
  const trimmed = text.trim();
  if (/^[0-9a-f]{64}$/i.test(trimmed)) return { phone: null, phoneHash: trimmed.toLowerCase() };
  if (trimmed.includes('*')) return readMask(trimmed);
  return { phone: readPlainNumber(trimmed), phoneHash: null };
}

function readMask(mask: string): Msisdn {
  if (mask.length <= MAX_PHONE_LENGTH) {
    return /^\+?[\d* ]+$/.test(mask) ? { phone: mask, phoneHash: null } : NOTHING;
  }
  // `ec59...5053 ***** 134b...bb95`: the hash with its middle masked. Without the spaces it has 64 characters again.
  const hash = mask.replaceAll(' ', '').toLowerCase();
  const isMaskedHash = hash.length <= HASH_LENGTH && /^[0-9a-f]+\*+[0-9a-f]+$/.test(hash);
  return isMaskedHash ? { phone: null, phoneHash: hash } : NOTHING;
}

function readPlainNumber(text: string): string | null {
  const digits = text.replace(/[\s()-]/g, '');
  const subscriber = /^(?:(?:\+|00)?254|0)?([17]\d{8})$/.exec(digits)?.[1];
  if (subscriber !== undefined) return `254${subscriber}`;
  const other = /^\+?(\d+)$/.exec(digits)?.[1] ?? '';
  return other !== '' && other.length <= MAX_PHONE_LENGTH ? other : null;
}
