/** Reads shillings, `1500`, `1500.5` or `1500.50`, as cents. Throws `RangeError` for anything else. */
export function centsOf(amount: string): bigint {
  const [, whole = '', cents = '00'] = /^(\d+)(?:\.(\d{1,2}))?$/.exec(amount) ?? [];
  if (whole === '') throw new RangeError('an amount is written in shillings, such as 1500.00');
  return BigInt(whole + cents.padEnd(2, '0'));
}

/** Writes cents as shillings with two decimals: `150000n` is `1500.00`. */
export function shillingsOf(cents: bigint): string {
  const sign = cents < 0n ? '-' : '';
  const digits = String(cents).replace('-', '').padStart(3, '0');
  return `${sign}${digits.slice(0, -2)}.${digits.slice(-2)}`;
}
