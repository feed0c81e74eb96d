// PostgreSQL does not always write an expression as it would write it again after reading that: a database that was
// restored from a backup has other words for the same checks. This brings both to the words of the restored one.

type Group = (string | Group)[];

const CAST_ARRAY = /\(ARRAY\[((?:'(?:[^']|'')*'::character varying(?:, )?)+)\]\)::text\[\]/g;
const ELEMENT = /'(?:[^']|'')*'::character varying/g;
const TOKEN = /'(?:[^']|'')*'|"(?:[^"]|"")*"|[()]|[^'"()]+|['"]/g;

/** A definition in which equal expressions have equal text. It can be run as before. */
export function normalizeExpressions(sql: string): string {
  const arrays = sql.replace(CAST_ARRAY, (_, list: string) => {
    return `ARRAY[${[...list.matchAll(ELEMENT)].map(([value]) => `(${value})::text`).join(', ')}]`;
  });
  const tree = parse(arrays);
  // Parentheses that do not match are not an expression's; the text stays what it is.
  return render(tree) === arrays ? render(flatten(tree)) : arrays;
}

/** A chain such as ((a OR b) OR c) is (a OR b OR c) once it has been read again. */
function flatten(group: Group): Group {
  const parts = group.map((part) => (typeof part === 'string' ? part : flatten(part)));
  const operator = operatorOf(parts);
  const at = parts.findIndex((part) => typeof part !== 'string' || part.trim() !== '');
  const first = parts[at];
  const next = parts[at + 1];
  if (operator === undefined || typeof first !== 'object' || typeof next !== 'string') return parts;
  if (operatorOf(first) !== operator || !next.startsWith(` ${operator}`)) return parts;
  return [...parts.slice(0, at), ...first, ...parts.slice(at + 1)];
}

/** The operator that joins all parts of a group, if it is a chain of one. */
function operatorOf(parts: Group): string | undefined {
  const words = parts.map((part) => (typeof part === 'string' ? part : '()')).join('');
  const [hasAnd, hasOr] = [/ AND\s/.test(words), / OR\s/.test(words)];
  if (hasAnd === hasOr) return undefined;
  return hasAnd ? 'AND' : 'OR';
}

function parse(sql: string): Group {
  const root: Group = [];
  const open: Group[] = [root];
  for (const [text] of sql.matchAll(TOKEN)) {
    if (text === '(') {
      const group: Group = [];
      open.at(-1)?.push(group);
      open.push(group);
    } else if (text === ')' && open.length > 1) {
      open.pop();
    } else {
      open.at(-1)?.push(text);
    }
  }
  return root;
}

function render(group: Group): string {
  return group.map((part) => (typeof part === 'string' ? part : `(${render(part)})`)).join('');
}
