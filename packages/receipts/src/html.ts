/** Text that is markup already. Only the functions of this file make it. */
export class Html {
  readonly source: string;

  constructor(source: string) {
    this.source = source;
  }
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Makes text harmless in an element or a quoted attribute. */
function escapeHtml(text: string): string {
  return text.replaceAll(/[&<>"']/g, (sign) => ENTITIES[sign] ?? '');
}

/**
 * Template tag for markup: whatever is put into it is escaped, unless it is markup itself. Forgetting to escape is
 * thereby not possible.
 */
export function markup(
  strings: TemplateStringsArray,
  ...values: readonly (string | number | Html | Html[])[]
): Html {
  const parts = values.map((value, index) => `${markupOf(value)}${strings[index + 1] ?? ''}`);
  return new Html(`${strings[0] ?? ''}${parts.join('')}`);
}

function markupOf(value: string | number | Html | Html[]): string {
  if (value instanceof Html) return value.source;
  if (Array.isArray(value)) return value.map((part) => part.source).join('');
  return escapeHtml(String(value));
}
