import { hasCheckDigit } from '@repo/db';
import { callerOf } from '@repo/http';
import type { FastifyRequest } from 'fastify';

/** Whether the caller's key may see who paid: support does with `admin`, a report that only reads does not. */
export function seesPayers(request: FastifyRequest): boolean {
  return callerOf(request)?.scopes.some((scope) => scope === 'admin' || scope === '*') ?? false;
}

/** The letters and digits of a text that are shown: the first letter of each word, the last digits of a long number. */
const SHOWN_DIGITS = 3;

/**
 * What a payer typed, for those who may not see who paid: it can be a phone number or a name. A wallet number is shown,
 * because it is no secret to callers who may read wallets. Of anything else only the first letter of each word and the
 * last three digits are shown.
 */
export function maskAccount(account: string): string {
  const typed = account.replace(/[\s-]/g, '');
  if (/^\d{10}$/.test(typed) && hasCheckDigit(typed)) return account;
  let digitsToHide = (account.match(/\p{N}/gu)?.length ?? 0) - SHOWN_DIGITS;
  return account
    .replace(/\p{N}/gu, (digit) => (digitsToHide-- > 0 ? '*' : digit))
    .replace(/[\p{L}\p{M}]+/gu, (word) => `${[...word][0] ?? ''}${'*'.repeat([...word].length - 1)}`);
}

/** A payer's name: the first letter of each word. */
export function maskName(name: string): string {
  return maskAccount(name);
}

/** A payer's number, whose beginning and end M-PESA itself shows. */
export function maskPhone(phone: string): string {
  if (phone.includes('*')) return phone;
  const head = phone.length < 12 ? '' : phone.slice(0, 4);
  return `${head}${'*'.repeat(5)}${phone.slice(-3)}`;
}
