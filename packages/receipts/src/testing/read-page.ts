import type { Rectangle } from './decode-code.ts';

/** The elements of a page in order, their attribute values left out: what no data may change. */
export function skeleton(page: string): string[] {
  const tags = [...page.matchAll(/<[^>]*>/g)].map(([tag]) => tag.replaceAll(/"[^"]*"/g, '""'));
  // A long sum may break between its groups.
  return tags.filter((tag) => tag !== '<wbr />');
}

/** The text of the element that shows a field, as a browser would put it on the screen. */
export function fieldOf(page: string, field: string): string | undefined {
  const [, content] = new RegExp(`data-field="${field}"[^>]*>(.*?)</(?:p|dd)>`, 's').exec(page) ?? [];
  return content === undefined ? undefined : unescapeHtml(content.replaceAll(/<[^>]*>/g, ''));
}

/** The dark modules that a page's drawing of a code has. */
export function drawnModules(page: string): Rectangle[] {
  const [, path = ''] = /<path fill="#000" d="([^"]*)"/.exec(page) ?? [];
  return [...path.matchAll(/M(\d+) (\d+)h(\d+)v1h-\3z/g)].map(([, x, y, width]) => ({
    x: Number(x),
    y: Number(y),
    width: Number(width),
    height: 1,
  }));
}

const CHARACTERS: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', '#39': `'` };

function unescapeHtml(text: string): string {
  return text.replaceAll(/&(amp|lt|gt|quot|#39);/g, (_entity, name: string) => CHARACTERS[name] ?? '');
}
