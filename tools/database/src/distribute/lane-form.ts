import { KEYS } from './keys.ts';
import type { DeployedFunction } from '../new-migration/deployed-functions.ts';

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
    body.replaceAll(PHONE_OF_HASH, 'NULL::text'),
  );
  const form = name === ENTRY ? entryFormOf({ head, body: inLanes }) : { head, body: inLanes };
  const lane = name === ENTRY ? 'p_lane' : CURRENT_LANE;
  const renamed = form.head.replace(`${name}(`, `${nameInLanes(name)}(`).replace(GENERIC_PLAN, '');
  return `${renamed}${DOLLARS}${declared(restricted(name, form.body), lane)}${DOLLARS}\n`;
}

/** `lanes.post_transactions`. */
export function nameInLanes(name: string): string {
  return `${LANES_SCHEMA}.${name.slice(name.indexOf('.') + 1)}`;
}

const ENTRY: (typeof LANE_FUNCTIONS)[number] = 'services.record_deposits';

const DOLLARS = '$function$';

const GENERIC_PLAN = ` SET plan_cache_mode TO 'force_generic_plan'\n`;

/** Every lane must be asked for it, so the node that was asked has done so, and the phone is there if there is one. */
const PHONE_OF_HASH = 'core.phone_of_hash(p_phone_hashes[i])';

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
  const pieces: string[] = [];
  let from = 0;
  for (const reading of body.matchAll(readings)) {
    const { kind = '', alias = '' } = reading.groups ?? {};
    const word = kind === 'JOIN' ? /\bON / : /\bWHERE /;
    const end = reading.index + reading[0].length;
    const condition = word.exec(body.slice(end));
    const place = end + (condition?.index ?? 0) + (condition?.[0].length ?? 0);
    if (condition === null || body.slice(end, place).includes(';')) {
      throw new LaneFormError(`${name} reads ${table} without a condition`);
    }
    pieces.push(body.slice(from, place), `${alias}.lane = v_lane AND `);
    from = place;
  }
  const text = pieces.join('') + body.slice(from);
  const unread = new RegExp(
    String.raw`\b(?:FROM|JOIN|UPDATE) ${table.replace('.', String.raw`\.`)}\b(?! (?:AS )?[a-z]\b)`,
  );
  if (unread.test(text)) throw new LaneFormError(`${name} reads ${table} without a short name`);
  return text;
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

const ENTRY_PARAMETERS = 'p_lane smallint, p_wallets text[], p_reasons text[], p_suggestions text[], ';

/** What is written into tables of no lane, by the node that was asked. */
const ELSEWHERE = [
  /\n {4}PERFORM lanes\.queue_deposit_sms\([\s\S]*?\n {4}\);/,
  /\n {4}PERFORM services\.follow_deposits\([\s\S]*?\n {4}\);/,
];

function entryFormOf({ head, body }: { head: string; body: string }): { head: string; body: string } {
  const routing = /(-- ---- 1\. Routing[^\n]*\n)[\s\S]*?(?=-- ---- 2\.)/;
  const steps = [
    [routing, `$1${ENTRY_ROUTING}`] as const,
    ...ELSEWHERE.map((pattern) => [pattern, ''] as const),
  ];
  const text = steps.reduce((current, [pattern, put]) => {
    if (!pattern.test(current)) throw new LaneFormError(`${ENTRY} has no passage ${String(pattern)}`);
    return current.replace(pattern, put);
  }, body);
  return { head: head.replace(`${ENTRY}(`, `${ENTRY}(${ENTRY_PARAMETERS}`), body: text };
}
