import { KEYS } from './keys.ts';
import type { DeployedFunction } from '../new-migration/deployed-functions.ts';
import type { LaneEntry } from './passage.ts';
import { SMS_ENTRIES } from './sms-passages.ts';

/** The schema that holds what only the distributed form of a database has. */
export const LANES_SCHEMA = 'lanes';

/** The functions that run whole on the node that has a lane, each with those that it calls. */
export const LANE_FUNCTIONS = [
  'services.record_deposits',
  'services.screen_deposits',
  'services.compare_deposits',
  'services.queue_deposit_sms',
  'core.post_transactions',
  'core.lock_batch',
  'core.known_references',
  'core.known_keys',
  'services.claim_sms',
  'services.settle_sms',
  'services.settle_late_sms',
  'services.expire_sms_leases',
] as const;

/** What a function does not say, though its form for a lane depends on it. */
class LaneFormError extends Error {
  override readonly name = 'LaneFormError';
}

/**
 * The form of a function for one lane: the same text, in which each reading of a table of the lanes asks for the rows of the
 * lane alone. Such a query names one shard, so it runs on the node that has the shard, row locks and all.
 *
 * Plans are made for each call: a generic plan cannot name a shard.
 *
 * @throws {LaneFormError} when the text is not one that this knows how to read
 */
export function laneFormOf({ name, definition }: Pick<DeployedFunction, 'name' | 'definition'>): string {
  const { head, body } = partsOf(name, definition);
  const inLanes = LANE_FUNCTIONS.reduce(
    (text, each) => text.replaceAll(`${each}(`, `${nameInLanes(each)}(`),
    body.replaceAll(PHONE_OF_HASH, 'NULL::text').replaceAll(TEMPLATES, TEMPLATES_IN_LANES),
  );
  const entry = LANE_ENTRIES[name];
  const form =
    entry === undefined ? { head, body: inLanes } : entryFormOf(name, entry, { head, body: inLanes });
  const lane = entry === undefined ? CURRENT_LANE : 'p_lane';
  const renamed = form.head.replace(`${name}(`, `${nameInLanes(name)}(`).replace(GENERIC_PLAN, '');
  return `${renamed}${DOLLARS}${declared(restricted(name, form.body), lane)}${DOLLARS}\n`;
}

/** `lanes.post_transactions`. */
export function nameInLanes(name: string): string {
  return `${LANES_SCHEMA}.${name.slice(name.indexOf('.') + 1)}`;
}

const DOLLARS = '$function$';

const GENERIC_PLAN = ` SET plan_cache_mode TO 'force_generic_plan'\n`;

/** Every lane must be asked for it, so the node that was asked has done so, and the phone is there if there is one. */
const PHONE_OF_HASH = 'core.phone_of_hash(p_phone_hashes[i])';

/** A table that every node has whole can be read there, but joined with none of the lanes. */
const TEMPLATES = 'LEFT JOIN services.sms_templates m\n';
const TEMPLATES_IN_LANES = `LEFT JOIN lanes.sms_templates_of(ARRAY['deposit', 'deposit_suspense']) m\n`;

const CURRENT_LANE = `current_setting('daftari.lane')::smallint`;

function partsOf(name: string, definition: string): { head: string; body: string } {
  const [head, body, rest] = definition.split(DOLLARS);
  if (head === undefined || body === undefined || rest === undefined || !head.includes('LANGUAGE plpgsql')) {
    throw new LaneFormError(`${name} is not a function in PL/pgSQL`);
  }
  return { head, body };
}

/** Declares the lane as a variable, whose value the planner sees, where it is asked for. */
function declared(body: string, value: string): string {
  if (!body.includes('v_lane ')) return body;
  const line = `    v_lane constant smallint := ${value};\n`;
  if (/^DECLARE\n/m.test(body)) return body.replace(/^DECLARE\n/m, `DECLARE\n${line}`);
  return body.replace(/^BEGIN\n/m, `DECLARE\n${line}BEGIN\n`);
}

/** Asks each table of the lanes for one lane. */
function restricted(name: string, body: string): string {
  return KEYS.reduce((text, table) => restrictedTo(name, text, table.name), body);
}

function restrictedTo(name: string, body: string, table: string): string {
  const readings = new RegExp(
    String.raw`\b(?<kind>FROM|JOIN|UPDATE) ${table.replace('.', String.raw`\.`)} (?:AS )?(?<alias>[a-z])\b`,
    'g',
  );
  const places = [...body.matchAll(readings)].map((reading) => {
    const { kind = '', alias = '' } = reading.groups ?? {};
    const place = placeBehind(kind === 'JOIN' ? 'ON ' : 'WHERE ', body, reading.index + reading[0].length);
    if (place === null) throw new LaneFormError(`${name} reads ${table} without a condition`);
    return { place, condition: `${alias}.lane = v_lane AND ` };
  });
  const text = places
    .toSorted((one, other) => other.place - one.place)
    .reduce(
      (current, { place, condition }) => current.slice(0, place) + condition + current.slice(place),
      body,
    );
  const unread = new RegExp(
    String.raw`\b(?:FROM|JOIN|UPDATE) ${table.replace('.', String.raw`\.`)}\b(?! (?:AS )?[a-z]\b)`,
  );
  if (unread.test(text)) throw new LaneFormError(`${name} reads ${table} without a short name`);
  return text;
}

/** The place behind a word of the query in which `from` is: not of one within it, nor of one that it is within. */
function placeBehind(word: string, body: string, from: number): number | null {
  let depth = 0;
  for (let place = from; place < body.length && depth >= 0 && body[place] !== ';'; place += 1) {
    if (body[place] === '(') depth += 1;
    if (body[place] === ')') depth -= 1;
    const isWord = depth === 0 && body.startsWith(word, place) && /\s/.test(body[place - 1] ?? '');
    if (isWord) return place + word.length;
  }
  return null;
}

/** What comes instead of the routing: the node that was asked has found the wallets, whichever lanes they are in. */
const ENTRY_ROUTING = `
    PERFORM set_config('daftari.lane', p_lane::text, true);
    v_reasons := p_reasons; v_suggestions := p_suggestions;
    -- What finds no wallet waits in suspense, in this lane.
    SELECT array_agg(coalesce(w.id::text, core.stripe_of(p_account => c_suspense, p_lane => p_lane)) ORDER BY t.ord),
           array_agg(w.phone::text ORDER BY t.ord), array_agg(w.language::text ORDER BY t.ord),
           array_agg(p_lane ORDER BY t.ord),
           array_agg(core.stripe_of(p_account => 'MPESA-FLOAT', p_lane => p_lane) ORDER BY t.ord),
           array_agg(core.stripe_of(p_account => c_suspense, p_lane => p_lane) ORDER BY t.ord)
      INTO v_targets, v_phones, v_languages, v_lanes, v_floats, v_suspenses
      FROM unnest(p_wallets) WITH ORDINALITY AS t (wallet, ord)
      LEFT JOIN core.wallets w ON w.id = t.wallet AND w.id = ANY (p_wallets);

    `;

/** The functions of the lanes that any node calls, each of which names its lane and runs whole where that lies. */
export const LANE_ENTRIES: Readonly<Record<string, LaneEntry>> = {
  'services.record_deposits': {
    parameters: 'p_lane smallint, p_wallets text[], p_reasons text[], p_suggestions text[], ',
    steps: [
      [/(-- ---- 1\. Routing[^\n]*\n)[\s\S]*?(?=-- ---- 2\.)/, `$1${ENTRY_ROUTING}`],
      // What is written into tables of no lane, by the node that was asked.
      [/\n {4}PERFORM services\.follow_deposits\([\s\S]*?\n {4}\);/, ''],
    ],
  },
  ...SMS_ENTRIES,
};

function entryFormOf(
  name: string,
  { parameters, steps }: LaneEntry,
  { head, body }: { head: string; body: string },
): { head: string; body: string } {
  // Steps may concern what the function returns.
  const joined = steps.reduce(
    (current, [pattern, put]) => {
      if (!pattern.test(current)) throw new LaneFormError(`${name} has no passage ${String(pattern)}`);
      return current.replace(pattern, put);
    },
    `${head.replace(`${name}(`, `${name}(${parameters}`)}${DOLLARS}${body}`,
  );
  return {
    head: joined.slice(0, joined.indexOf(DOLLARS)),
    body: joined.slice(joined.indexOf(DOLLARS) + DOLLARS.length),
  };
}
