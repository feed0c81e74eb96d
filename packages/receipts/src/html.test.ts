import fc from 'fast-check';
import { expect, test } from 'vitest';
import { markup } from './html.ts';
import { hostileTexts } from './testing/examples.ts';

test('text in markup stays text', () => {
  expect(markup`<p title="${'"><i>'}">${`<b> & 'c'`}</p>`.source).toBe(
    '<p title="&quot;&gt;&lt;i&gt;">&lt;b&gt; &amp; &#39;c&#39;</p>',
  );
});

test('markup in markup stays markup, alone or in a list', () => {
  const items = ['a', '<'].map((text) => markup`<li>${text}</li>`);
  expect(markup`<ul>${items}${markup`<li>${3}</li>`}</ul>`.source).toBe(
    '<ul><li>a</li><li>&lt;</li><li>3</li></ul>',
  );
});

test('no text gives anything that a parser of HTML takes for markup', () => {
  fc.assert(
    fc.property(hostileTexts, (text) => !/[<>"']|&(?!(?:amp|lt|gt|quot|#39);)/.test(markup`${text}`.source)),
  );
});
