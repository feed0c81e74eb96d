/**
 * Whether a text is what M-PESA calls a payment by: 6 to 20 of A-Z and 0-9. Another way to write one (in lower case, with
 * invisible characters, in letters of another alphabet that look alike) would be another key, and the same money credited
 * twice; and with a hyphen it could be a reference of ours.
 */
export function isReceipt(text: string): boolean {
  return /^[A-Z0-9]{6,20}$/.test(text);
}

/** A receipt as a person writes it. Only a to z have capitals here: those of some foreign letters are ASCII. */
export function receiptKey(text: string): string {
  return text.trim().replace(/[a-z]+/g, (letters) => letters.toUpperCase());
}
