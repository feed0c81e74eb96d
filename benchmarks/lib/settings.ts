/** What docs/operating.md advises for a server that records deposits all day. */
export const ADVISED_SETTINGS = {
  max_wal_size: '16GB',
  checkpoint_timeout: '15min',
  shared_buffers: '2GB',
} as const;

/** As text of a report. */
export function settingsText(settings: Readonly<Record<string, string>>): string {
  const set = Object.entries(settings).map(([name, value]) => `\`${name} = ${value}\``);
  return set.length === 0 ? 'as PostgreSQL comes' : set.join(', ');
}
