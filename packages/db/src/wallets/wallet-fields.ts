import { DaftariError } from '../errors.ts';
import { isHolderName } from './holder-name.ts';
import { refusal } from '../refusals.ts';

/** The name of a wallet's holder as it is kept, without the spaces around it. @throws DaftariError `invalid_wallet` */
export function holderNameOf(typed: string): string {
  const name = typed.trim();
  if (!isHolderName(name)) throw new DaftariError('invalid_wallet', { field: 'holderName' });
  return name;
}

/** A phone as it goes to the database, which decides whether it is one. @throws DaftariError `invalid_wallet` */
export function phoneOf(typed: string): string {
  requireWalletText('phone', typed, 40);
  const phone = typed.replace(/[\s-]/g, '');
  if (phone === '') throw new DaftariError('invalid_wallet', { field: 'phone' });
  return phone;
}

const LANGUAGES: readonly string[] = ['en', 'sw'];

/** @throws DaftariError `invalid_wallet` naming the field */
export function requireLanguage(language: string): void {
  if (!LANGUAGES.includes(language)) throw new DaftariError('invalid_wallet', { field: 'language' });
}

/** @throws DaftariError `invalid_wallet` naming the field */
export function requireWalletText(field: string, text: string, longest: number): void {
  const isFit = text !== '' && [...text].length <= longest && text.isWellFormed() && !text.includes('\0');
  if (!isFit) throw new DaftariError('invalid_wallet', { field });
}

const FIELDS: Readonly<Record<string, string>> = {
  invalid_number: 'number',
  invalid_holder_name: 'holderName',
  invalid_phone: 'phone',
};

/** The error for a reason that a function for wallets gave. */
export function walletRefusal(reason: string | null): DaftariError {
  const field = reason === null ? undefined : FIELDS[reason];
  return field === undefined ? refusal(reason) : new DaftariError('invalid_wallet', { field });
}
