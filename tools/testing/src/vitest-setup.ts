import { join } from 'node:path';
import { keepCompiledCode } from './env.ts';

/** Vitest's global setup: the hundreds of processes that tests start compile their sources once. */
export default function setup(): void {
  keepCompiledCode(join(import.meta.dirname, '..', '..', '..', 'node_modules', '.cache', 'node'));
}
