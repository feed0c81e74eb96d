/** Every way in which `dev` and `demo` fail on purpose. The code is for programs, the message for people. */
const errorCodes = {
  setting_invalid: 'A setting cannot be used',
  port_taken: 'Ports are taken, so nothing was started',
  program_failed: 'A program of this repository failed',
  service_not_ready: 'A service did not become ready',
  stopped: 'Stopped before it was done',
} as const;

/** An error whose message is all that people need. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
  readonly code: keyof typeof errorCodes;

  constructor(code: keyof typeof errorCodes, advice: string) {
    super(`${errorCodes[code]}: ${advice}`);
    this.code = code;
  }
}
