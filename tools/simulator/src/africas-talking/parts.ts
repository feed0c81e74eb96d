const GSM_TEXT =
  /^[@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !"#¤%&'()*+,\-./0-9:;<=>?¡A-ZÄÖÑÜ§¿a-zäöñüà\f^{}\\[~\]|€]*$/;

/** The parts that a text is charged as: 160 or 153 characters of GSM-7 each, 70 or 67 of any other text. */
export function chargedParts(text: string): number {
  if (!GSM_TEXT.test(text)) return partsOf(text, (each) => each.length, { alone: 70, part: 67 });
  return partsOf(text, (each) => ('\f^{}\\[~]|€'.includes(each) ? 2 : 1), { alone: 160, part: 153 });
}

function partsOf(
  text: string,
  sizeOf: (character: string) => number,
  { alone, part }: { alone: number; part: number },
): number {
  const sizes = Array.from(text, sizeOf);
  if (sizes.reduce((sum, size) => sum + size, 0) <= alone) return 1;
  let parts = 1;
  let free = part;
  for (const size of sizes) {
    if (size > free) {
      parts += 1;
      free = part;
    }
    free -= size;
  }
  return parts;
}
