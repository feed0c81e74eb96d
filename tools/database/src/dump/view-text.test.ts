import { describe, expect, it } from 'vitest';
import { withoutNeedlessQualification } from './view-text.ts';

// Each pair: what PostgreSQL 15 and what PostgreSQL 18 answers to pg_get_viewdef for one and the same view.
const PAIRS = [
  {
    view: 'over one table with an alias',
    old: ' SELECT o.id,\n    o.label AS "Label",\n    count(*) OVER (PARTITION BY o.colour) AS n\n   FROM zoo."Odd Name" o\n  WHERE (o.id > 1);',
    new: ' SELECT id,\n    label AS "Label",\n    count(*) OVER (PARTITION BY colour) AS n\n   FROM zoo."Odd Name" o\n  WHERE (id > 1);',
  },
  {
    view: 'over one table without an alias',
    old: ` SELECT fleeting.note,\n    'fleeting.note'::text AS text\n   FROM zoo.fleeting;`,
    new: ` SELECT note,\n    'fleeting.note'::text AS text\n   FROM zoo.fleeting;`,
  },
  {
    view: 'with a subquery that refers to the outer table',
    old: ' SELECT m.at\n   FROM zoo.measures m\n  WHERE (EXISTS ( SELECT\n           FROM zoo."Odd Name" o\n          WHERE (o.since > m.at)));',
    new: ' SELECT at\n   FROM zoo.measures m\n  WHERE (EXISTS ( SELECT\n           FROM zoo."Odd Name" o\n          WHERE (o.since > m.at)));',
  },
  {
    view: 'over a subquery',
    old: ' SELECT s.n\n   FROM ( SELECT f.id AS n\n           FROM zoo.fleeting f) s;',
    new: ' SELECT n\n   FROM ( SELECT f.id AS n\n           FROM zoo.fleeting f) s;',
  },
  {
    view: 'over a common table expression',
    old: ' WITH w AS (\n         SELECT f.id\n           FROM zoo.fleeting f\n        )\n SELECT w.id\n   FROM w;',
    new: ' WITH w AS (\n         SELECT f.id\n           FROM zoo.fleeting f\n        )\n SELECT id\n   FROM w;',
  },
  {
    view: 'over a function',
    old: ' SELECT g.n\n   FROM generate_series(1, 3) g(n);',
    new: ' SELECT n\n   FROM generate_series(1, 3) g(n);',
  },
];

const UNCHANGED = [
  {
    view: 'over a join',
    text: ' SELECT o.id,\n    f.note\n   FROM (zoo."Odd Name" o\n     LEFT JOIN zoo.fleeting f ON ((f.id = o.id)));',
  },
  { view: 'over two tables', text: ' SELECT o.id,\n    f.note\n   FROM zoo.o,\n    zoo.f;' },
  {
    view: 'that is a union',
    text: ' SELECT m.at\n   FROM zoo.measures m\nUNION ALL\n SELECT x.at\n   FROM zoo.measures_2024 x;',
  },
  { view: 'over nothing', text: ' SELECT 1 AS one;' },
];

describe('the definition of a view from an old server', () => {
  it.each(PAIRS)('$view is brought to the words of a new one', (pair) => {
    expect(withoutNeedlessQualification(pair.old)).toBe(pair.new);
  });

  it.each(PAIRS)('$view stays as it is when it comes from a new one', (pair) => {
    expect(withoutNeedlessQualification(pair.new)).toBe(pair.new);
  });

  it.each(UNCHANGED)('$view stays as it is, as both servers say it alike', ({ text }) => {
    expect(withoutNeedlessQualification(text)).toBe(text);
  });
});
