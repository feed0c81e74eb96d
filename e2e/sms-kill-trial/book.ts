/** The provider's own account of what it accepted. */
export interface ProviderBook {
  readonly accepted: number;
  /** Decimal string of KES. */
  readonly cost: string;
  readonly duplicates: number;
  /** By number in digits, in the order of acceptance. */
  readonly byNumber: ReadonlyMap<string, readonly BookedMessage[]>;
}

interface BookedMessage {
  readonly id: string;
  readonly recipient: string;
  readonly cost: string;
}

interface BookPage extends Omit<ProviderBook, 'byNumber'> {
  readonly messages: readonly BookedMessage[];
}

export async function readBook(providerUrl: string): Promise<ProviderBook> {
  const response = await fetch(`${providerUrl}/book?messages`);
  const { messages, accepted, cost, duplicates } = (await response.json()) as BookPage;
  const byNumber = Map.groupBy(messages, ({ recipient }) => recipient.replace('+', ''));
  return { accepted, cost, duplicates, byNumber };
}

/** Ten-thousandths of a decimal string with four decimals or less. */
export function parseCost(text: string): bigint {
  const [whole = '0', part = ''] = text.split('.');
  return BigInt(`${whole}${part.padEnd(4, '0')}`);
}

/** A decimal string with four decimals. */
export function formatCost(tenThousandths: bigint): string {
  const digits = String(tenThousandths).padStart(5, '0');
  return `${digits.slice(0, -4)}.${digits.slice(-4)}`;
}

export function sumCosts(costs: Iterable<{ readonly cost: string }>): bigint {
  let sum = 0n;
  for (const { cost } of costs) sum += parseCost(cost);
  return sum;
}
