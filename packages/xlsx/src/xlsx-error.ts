/** Every way in which a file is no workbook that can be read. */
const TEXTS = {
  damaged: 'The workbook is damaged or was cut off.',
  encrypted: 'The workbook is protected by a password.',
  no_sheet: 'The file is an archive, but no workbook: it has no sheet.',
} as const;

/** A file that cannot be read as a workbook. The message holds no value of a cell. */
export class XlsxError extends Error {
  override readonly name = 'XlsxError';
  readonly code: keyof typeof TEXTS;
  /** The last row that was read, as spreadsheets count. */
  readonly row: number | undefined;

  constructor(
    code: keyof typeof TEXTS,
    { row, cause }: { readonly row?: number | undefined; readonly cause?: unknown } = {},
  ) {
    super(TEXTS[code], cause === undefined ? undefined : { cause });
    this.code = code;
    this.row = row;
  }
}
