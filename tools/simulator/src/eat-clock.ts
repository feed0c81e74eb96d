const EAT_OFFSET_MS = 3 * 60 * 60 * 1_000;

/** What a clock in Nairobi shows at an instant, as `YYYYMMDDHHmmss`: East Africa Time is UTC+3 all the year. */
export function eatDigits(instant: Date): string {
  return new Date(instant.getTime() + EAT_OFFSET_MS).toISOString().slice(0, 19).replace(/\D/g, '');
}
