/**
 * A reference as it is stored, from how somebody typed it: ours and M-PESA's are capitals, digits and hyphens, and
 * people read them from paper.
 */
export function readReference(text: string): string {
  return text.trim().toUpperCase();
}
