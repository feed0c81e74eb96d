/**
 * The statuses of a delivery report and their ranks. A message shows the highest rank that was ever reported, so the
 * end is the same in whatever order reports arrive and however often: taking the highest is commutative,
 * associative and idempotent. SQL keeps the same table.
 *
 * Final beats not final. Among the final ones `Success` is the strongest: a phone that confirmed the message has it,
 * whatever a network says besides. A status that is not listed has rank 0: it is kept and counted, and decides nothing.
 *
 * `AbsentSubscriber` is not final, for networks keep the message for a phone that is off.
 */
export const deliveryRanks = {
  Sent: 10,
  Submitted: 20,
  Buffered: 30,
  AbsentSubscriber: 40,
  Rejected: 60,
  Failed: 61,
  Expired: 62,
  Success: 100,
} as const;

/** The lowest rank that ends a message's way. */
export const finalRank = 60;

/** Of a status that is not listed. */
const unknownRank = 0;

const ranks: ReadonlyMap<string, number> = new Map(Object.entries(deliveryRanks));
const listed = new Map(Object.keys(deliveryRanks).map((status) => [status.toLowerCase(), status]));

/** A status as it is kept: in the provider's spelling if it is listed, whatever its capitals, else as it was sent. */
export function canonicalStatus(text: string): string {
  return listed.get(text.toLowerCase()) ?? text;
}

/** The rank of a status in the provider's spelling. */
export function deliveryRank(status: string): number {
  return ranks.get(status) ?? unknownRank;
}

/** Whether no later report can be expected to say otherwise. */
export function isFinal(status: string): boolean {
  return deliveryRank(status) >= finalRank;
}

/**
 * What is shown of two statuses: the stronger one, whichever came first. Two that are not listed are ordered by their
 * text, so that the order of arrival does not matter even there; null is no report yet.
 */
export function joinDelivery(one: string | null, other: string | null): string | null {
  if (one === null || other === null) return one ?? other;
  const difference = deliveryRank(one) - deliveryRank(other);
  if (difference !== 0) return difference > 0 ? one : other;
  return one > other ? one : other;
}
