import { ColumnTypeEnum } from '@prisma/driver-adapter-utils';
import type { ColumnType } from '@prisma/driver-adapter-utils';
import { parse as parseArray } from 'postgres-array';

interface Conversion {
  readonly type: ColumnType;
  readonly convert: (text: string) => unknown;
}

const keep = (text: string) => text;
const isTrue = (text: string) => text === 't';
const list = (element: (text: string) => unknown) => (text: string) => parseArray(text, element);

const T = ColumnTypeEnum;
const TEXT: Conversion = { type: T.Text, convert: keep };
const TEXTS: Conversion = { type: T.TextArray, convert: list(keep) };
const INT32: Conversion = { type: T.Int32, convert: Number };
const INT64: Conversion = { type: T.Int64, convert: keep };
const INT64S: Conversion = { type: T.Int64Array, convert: list(keep) };

/**
 * What the engine's queries of the catalog and of `_prisma_migrations` return, by the type's fixed OID. Any other type
 * goes as text, which the engine can at least show.
 */
const CONVERSIONS: Readonly<Record<number, Conversion>> = {
  16: { type: T.Boolean, convert: isTrue },
  18: { type: T.Character, convert: keep }, // "char", the catalog's one-byte type
  19: TEXT, // name
  20: INT64,
  21: INT32,
  23: INT32,
  25: TEXT,
  26: INT64, // oid
  114: { type: T.Json, convert: keep },
  700: { type: T.Float, convert: Number },
  701: { type: T.Double, convert: Number },
  1000: { type: T.BooleanArray, convert: list(isTrue) },
  1002: { type: T.CharacterArray, convert: list(keep) },
  1003: TEXTS, // name[]
  1005: { type: T.Int32Array, convert: list(Number) },
  1007: { type: T.Int32Array, convert: list(Number) },
  1009: TEXTS,
  1015: TEXTS,
  1016: INT64S,
  1028: INT64S, // oid[]
  1082: { type: T.Date, convert: keep },
  1083: { type: T.Time, convert: keep },
  1114: { type: T.DateTime, convert: (value) => utcInstant(`${value}Z`) },
  1184: { type: T.DateTime, convert: utcInstant },
  1700: { type: T.Numeric, convert: keep },
  2950: { type: T.Uuid, convert: keep },
  3802: { type: T.Json, convert: keep },
};

/** The engine's name for a server type, given by OID. */
export function columnType(oid: number): ColumnType {
  return (CONVERSIONS[oid] ?? TEXT).type;
}

/** A value in the server's text form as the engine wants it. */
export function columnValue(oid: number, value: string | null): unknown {
  return value === null ? null : (CONVERSIONS[oid] ?? TEXT).convert(value);
}

/** `2026-03-01 12:34:56.789+03` as RFC 3339 in UTC, whatever the session's time zone. */
function utcInstant(value: string): string {
  const iso = value.replace(' ', 'T').replace(/([+-]\d{2})$/, '$1:00');
  return new Date(iso).toISOString().replace('Z', '+00:00');
}
