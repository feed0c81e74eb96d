/** Every way in which `dev`, `demo` and the trials fail on purpose. The code is for programs, the message for people. */
const ERROR_CODES = {
  setting_invalid: 'A setting cannot be used',
  database_unusable: 'The server of DATABASE_URL cannot be used',
  port_taken: 'Ports are taken, so nothing was started',
  program_failed: 'A program of this repository failed',
  service_not_ready: 'A service did not become ready',
  stopped: 'Stopped before it was done',
} as const;

/** An error whose message is all that people need. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
  readonly code: keyof typeof ERROR_CODES;

  constructor(code: keyof typeof ERROR_CODES, advice: string) {
    super(`${ERROR_CODES[code]}: ${advice}`);
    this.code = code;
  }
}
