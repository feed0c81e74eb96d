/** What the notes.md of each migration says, one line each. */
export const NOTES = ['Why', 'Locks', 'Cost'] as const;

/** The notes.md of a new migration: a person fills in its lines. */
export const EMPTY_NOTES = NOTES.map((what) => `- **${what}:**\n`).join('');
