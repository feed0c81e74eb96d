// What the launcher reads from the environment; the engine's own settings are in src/env.ts.
const RESTARTED = 'SCHEMA_ENGINE_RESTARTED';

/** The path of a Node that the operator wants the engine to run on. */
export const chosenNode = process.env.SCHEMA_ENGINE_NODE || undefined;

/** Whether this process was already started by the launcher under another Node. */
export const wasRestarted = process.env[RESTARTED] !== undefined;

/** The environment for such a process. */
export const restartEnvironment = { ...process.env, [RESTARTED]: '1' };
