export type Language = 'en' | 'sw';

export const LANGUAGES = ['en', 'sw'] as const satisfies readonly Language[];

/** The other one, for the link that leads to it. */
export function otherLanguage(language: Language): Language {
  return language === 'en' ? 'sw' : 'en';
}

/**
 * The language for a reader, by the `Accept-Language` header (RFC 9110, section 12.5.4). English when the header is
 * absent, unreadable or asks for neither; on a tie, what is named first. Answers chosen by it need
 * `Vary: Accept-Language`.
 */
export function pickLanguage(header: string | undefined): Language {
  const ranges = (header ?? '').split(',').map(parseRange);
  const choices = LANGUAGES.map((language) => ({ language, ...weightOf(language, ranges) }));
  const wanted = choices.filter((choice) => choice.weight > 0);
  wanted.sort((one, other) => other.weight - one.weight || one.place - other.place);
  return wanted[0]?.language ?? 'en';
}

interface Range {
  readonly tag: string;
  readonly weight: number;
}

function parseRange(text: string): Range {
  const [tag = '', ...parameters] = text.split(';').map((part) => part.trim().toLowerCase());
  const q = parameters.find((parameter) => parameter.startsWith('q='))?.slice(2) ?? '1';
  // A weight that is not one (`q=2`, `q=high`) makes the whole range void.
  return { tag, weight: /^(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/.test(q) ? Number(q) : 0 };
}

/** A language's own range (`sw`, `sw-KE`) counts before `*`. */
function weightOf(language: Language, ranges: readonly Range[]): { weight: number; place: number } {
  const own = ranges.filter(({ tag }) => tag === language || tag.startsWith(`${language}-`));
  const matching = own.length > 0 ? own : ranges.filter(({ tag }) => tag === '*');
  const weight = Math.max(0, ...matching.map((range) => range.weight));
  return { weight, place: ranges.findIndex((range) => matching.includes(range)) };
}
