/** `syntax`: it is no connection string; `parameter`: one of its parameters; `file`: a certificate cannot be read. */
export type DatabaseUrlFault = 'syntax' | 'parameter' | 'file';

/** Why a connection string cannot be used, and how to write it. The message never repeats a user, password or host. */
export class DatabaseUrlError extends Error {
  override readonly name = 'DatabaseUrlError';
  readonly fault: DatabaseUrlFault;

  constructor(fault: DatabaseUrlFault, message: string, options?: ErrorOptions) {
    super(message, options);
    this.fault = fault;
  }
}
