import { csvText } from '@repo/csv';
import type { SmsCostReport } from './costs.ts';

type Line = SmsCostReport['uncosted'][number] & Partial<SmsCostReport['rows'][number]>;

/** The rows of the report as CSV (RFC 4180), with those that cost nothing at the end. */
export function smsCostCsv(report: SmsCostReport): string {
  return csvText<Line>(
    {
      key: (line) => line.key,
      messages: (line) => line.messages,
      parts: (line) => line.parts ?? null,
      expected_parts: (line) => line.expectedParts ?? null,
      cost: (line) => line.cost ?? null,
      currency: (line) => line.currency ?? null,
    },
    [...report.rows, ...report.uncosted],
  );
}
