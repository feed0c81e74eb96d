/** An account at Daraja, Safaricom's interface to M-PESA. */
export interface DarajaSettings {
  /** `https://api.safaricom.co.ke`, or the sandbox's. */
  readonly baseUrl: string;
  readonly consumerKey: string;
  readonly consumerSecret: string;
  /** The paybill; for a till the number of its store. */
  readonly shortCode: string;
  /** The till that is paid; null for a paybill. */
  readonly till: string | null;
  readonly passkey: string;
  /** Who may ask for the status of a transaction; null where nobody may. */
  readonly initiator: { readonly name: string; readonly credential: string } | null;
  /** From the call to the end of an answer; milliseconds. Default: 20,000. */
  readonly timeoutMs?: number;
}

/** Where the money goes, as the messages about it name it. */
export function receiverOf({ shortCode, till }: Pick<DarajaSettings, 'shortCode' | 'till'>): string {
  return till ?? shortCode;
}
