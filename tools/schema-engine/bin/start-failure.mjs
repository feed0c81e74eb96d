// How the engine says that it could not start: two log lines on standard error (the CLI skips the first) and exit
// code 1. Both the CLI's JSON-RPC client and its `cli` sub-command runner show the message of the second.

/** @param {string} message */
export function failBeforeStart(message) {
  const timestamp = new Date().toISOString();
  const starting = {
    timestamp,
    level: 'INFO',
    fields: { message: 'Starting schema engine' },
    target: 'schema_engine',
  };
  const failure = {
    timestamp,
    level: 'ERROR',
    fields: { message, is_panic: false },
    target: 'schema_engine::logger',
  };
  process.stderr.write(`${JSON.stringify(starting)}\n${JSON.stringify(failure)}\n`);
  process.exitCode = 1;
}
