/**
 * The references that people may mean by what they typed, in the order in which they are to be tried. Ours and
 * M-PESA's are capitals, digits and hyphens, and people read them from paper; those from before this ledger may be any
 * text, and count as they are.
 */
export function readReference(text: string): readonly [asTyped: string, asUsual: string] {
  return [text, text.trim().replace(/[a-z]+/g, (letters) => letters.toUpperCase())];
}
