// Up to version 15 PostgreSQL writes the columns of a view over a single relation as `w.id`. Later versions write
// `id`, as there is nothing to confuse it with. This brings the older form to the newer one.

interface Piece {
  readonly text: string;
  readonly kind: 'name' | 'string' | 'open' | 'close' | 'other';
  /** How many parentheses it stands in, and how many of them are subqueries. */
  readonly depth: number;
  readonly queries: number;
}

const identifier = String.raw`(?:"(?:[^"]|"")*"|[A-Za-z_][\w$]*)`;
const PATTERN = new RegExp(
  String.raw`(?<string>'(?:[^']|'')*')|(?<query>\((?=\s*(?:SELECT|WITH|VALUES)\b))|(?<open>\()|(?<close>\))` +
    String.raw`|(?<name>${identifier}(?:\.(?:${identifier}|\*))*)`,
  'g',
);
const CLAUSE_END = /\n {1,2}(?:WHERE|GROUP BY|HAVING|WINDOW|ORDER BY|LIMIT|OFFSET|FETCH|FOR)\b|;/;
const LAST_NAME = new RegExp(String.raw`(${identifier})(?:\(\s*\))?$`);

/** The definition of a view as version 16 and later write it. One that is theirs already comes back unchanged. */
export function withoutNeedlessQualification(definition: string): string {
  const pieces = [...split(definition)];
  const relation = onlyRelation(pieces);
  if (relation === undefined) return definition;
  const prefix = `${relation}.`;
  return pieces
    .map(({ text, kind, queries }) => {
      const isQualified = kind === 'name' && queries === 0 && text.startsWith(prefix) && !text.endsWith('.*');
      return isQualified ? text.slice(prefix.length) : text;
    })
    .join('');
}

/** The name by which a query knows the relation that it reads from, if that is one alone. */
function onlyRelation(pieces: Piece[]): string | undefined {
  // What stands in parentheses or strings is blanked, so that only the outermost query's own words are left.
  const top = pieces
    .map(({ text, kind, depth }) => (depth > 0 || kind === 'string' ? ' '.repeat(text.length) : text))
    .join('');
  if (/\b(?:UNION|INTERSECT|EXCEPT)\b/.test(top)) return undefined;
  const [, rest] = top.split(/\n {3}FROM /, 2);
  if (rest === undefined) return undefined;
  const item = rest.slice(0, CLAUSE_END.exec(rest)?.index).trim();
  // A join is written in parentheses.
  const isJoin = item.includes(',') || /^\(\s*\)$/.test(item);
  return isJoin ? undefined : LAST_NAME.exec(item)?.[1];
}

function* split(text: string): Generator<Piece> {
  const stack: boolean[] = [];
  const piece = (part: string, kind: Piece['kind']): Piece => ({
    text: part,
    kind,
    depth: stack.length,
    queries: stack.filter(Boolean).length,
  });
  let position = 0;
  for (const match of text.matchAll(PATTERN)) {
    if (match.index > position) yield piece(text.slice(position, match.index), 'other');
    position = match.index + match[0].length;
    const { string, query, open, close } = match.groups ?? {};
    if (close !== undefined) stack.pop();
    if (string !== undefined) yield piece(match[0], 'string');
    else if (close !== undefined) yield piece(match[0], 'close');
    else yield piece(match[0], (query ?? open) ? 'open' : 'name');
    if (query !== undefined || open !== undefined) stack.push(query !== undefined);
  }
  if (position < text.length) yield piece(text.slice(position), 'other');
}
