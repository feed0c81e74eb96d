/** The words in which the client's generator speaks of column types, by the server's fixed type OIDs. */
const SCALARS: Readonly<Record<number, string>> = {
  16: 'bool',
  17: 'bytes',
  18: 'char',
  19: 'string', // name
  20: 'bigint',
  21: 'int',
  23: 'int',
  25: 'string',
  26: 'bigint', // oid
  114: 'json',
  142: 'xml',
  650: 'string', // cidr
  700: 'float',
  701: 'double',
  790: 'decimal', // money
  869: 'string', // inet
  1042: 'string', // char(n)
  1043: 'string', // varchar(n)
  1082: 'date',
  1083: 'time',
  1114: 'datetime',
  1184: 'datetime',
  1266: 'time', // time with time zone
  1560: 'string', // bit
  1562: 'string', // bit varying
  1700: 'decimal',
  2950: 'uuid',
  3802: 'json', // jsonb
};

/** Array types, by the OID of their elements' type. */
const ELEMENT_OF: Readonly<Record<number, number>> = {
  143: 142,
  199: 114,
  651: 650,
  791: 790,
  1000: 16,
  1001: 17,
  1002: 18,
  1003: 19,
  1005: 21,
  1007: 23,
  1009: 25,
  1014: 1042,
  1015: 1043,
  1016: 20,
  1021: 700,
  1022: 701,
  1028: 26,
  1041: 869,
  1115: 1114,
  1182: 1082,
  1183: 1083,
  1185: 1184,
  1231: 1700,
  2951: 2950,
  3807: 3802,
};

/**
 * The generator's word for a type, or undefined for one it has no word for: such a type is an enum or unknown.
 * The type `void` has the word of a value that is always null.
 */
export function typedSqlType(oid: number): string | undefined {
  if (oid === 2278) return 'null';
  const element = ELEMENT_OF[oid];
  const scalar = SCALARS[element ?? oid];
  return scalar === undefined || element === undefined ? scalar : `${scalar}-array`;
}
