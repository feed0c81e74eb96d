/** The shop that is paid, as M-PESA knows it. */
export interface Organisation {
  /** The paybill, or the store number of a till. */
  readonly shortCode: string;
  /** The till that belongs to the store; null for a paybill. */
  readonly till: string | null;
  readonly passkey: string;
  /** The name on prompts. */
  readonly name: string;
}
