/** What the details of a line say of its payer. */
interface Details {
  /** What the payer typed as the account; null when the details do not say. */
  readonly account: string | null;
  /** The payer's number as shown: digits or a mask; null when the text has no number. */
  readonly phone: string | null;
  readonly name: string | null;
}

/** Reads `Pay Bill from 25470****111 - ALICE **** EXAMPLE Acc. 850060`. What stands in columns of its own is better. */
export function readDetails(details: string): Details {
  const account = /\sAcc\.(.*)$/s.exec(details)?.[1]?.trim() ?? null;
  const party = /\bfrom\s+(.+?)(?:\s+Acc\.|\s+via\s|$)/s.exec(details)?.[1] ?? '';
  return { account, ...readParty(party) };
}

/** Reads `25470****111 - ALICE **** EXAMPLE`. */
export function readParty(party: string): Pick<Details, 'phone' | 'name'> {
  const [, number = '', name = ''] = /^\s*([\d*+ ]{5,20}?)\s*-\s*(.*)$/s.exec(party) ?? [];
  return { phone: phoneOf(number), name: name.trim() === '' ? null : name.trim() };
}

/** A customer's number has nine digits behind the code of the country; shorter ones are short codes. */
function phoneOf(number: string): string | null {
  const text = number.replace(/[+ ]/g, '');
  const plain = /^(?:254|0)([17]\d{8})$/.exec(text)?.[1];
  if (plain !== undefined) return `254${plain}`;
  return /^[\d*]{9,20}$/.test(text) && text.includes('*') ? text : null;
}
