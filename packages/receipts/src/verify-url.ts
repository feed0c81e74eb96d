import { ReceiptError } from './errors.ts';
import type { Language } from './language.ts';

/**
 * Where the public can check a receipt: `<base>/verify/<reference>/<hash>`.
 *
 * @param baseUrl the public address of the wallet service; may have a path (`https://pay.example/wallet`).
 * @throws ReceiptError `BASE_URL_INVALID`
 */
export function verifyUrl(baseUrl: string, receipt: { reference: string; verificationHash: string }): string {
  const base = URL.canParse(baseUrl) ? new URL(baseUrl) : null;
  if (base === null || !['http:', 'https:'].includes(base.protocol) || base.username + base.password !== '') {
    throw new ReceiptError(
      'BASE_URL_INVALID',
      'give it as https://host or https://host/path, without a password',
    );
  }
  const path = [receipt.reference, receipt.verificationHash].map(pathSegment).join('/');
  return `${base.origin}${base.pathname.replace(/\/+$/, '')}/verify/${path}`;
}

/** Also escapes what `encodeURIComponent` leaves alone but phones cut from the end of a link. */
function pathSegment(text: string): string {
  return encodeURIComponent(text).replaceAll(
    /[!'()*]/g,
    (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

/** The same in the language of the receipt that it stands on. */
export function verifyUrlIn(url: string, language: Language): string {
  return `${url}?lang=${language}`;
}

/** An address as people type it: without `https://`. */
export function typedUrl(url: string): string {
  return url.replace(/^https:\/\//, '');
}
