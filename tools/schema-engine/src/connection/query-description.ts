import type { Connection as Wire, FieldDef } from 'pg';
import type { Connection } from './connection.ts';

/** What the server says about a statement without running it. */
export interface QueryDescription {
  readonly parameterTypes: number[];
  readonly columns: FieldDef[];
}

/**
 * Asks the server to parse and describe one statement. The driver itself never asks for the types of parameters, so
 * this hands it a query object that sends the messages and hears the answers.
 */
export function describeQuery(connection: Connection, text: string): Promise<QueryDescription> {
  const { promise, resolve, reject } = Promise.withResolvers<QueryDescription>();
  let parameterTypes: number[] = [];
  let columns: FieldDef[] = [];
  const query = {
    submit(wire: Wire) {
      wire.once('parameterDescription', (message: { dataTypeIDs: number[] }) => {
        parameterTypes = message.dataTypeIDs;
      });
      wire.parse({ name: '', text, types: [] }, true);
      wire.describe({ type: 'S', name: '' }, true);
      wire.sync();
    },
    handleRowDescription(message: { fields: FieldDef[] }) {
      columns = message.fields;
    },
    handleError: reject,
    handleReadyForQuery: () => resolve({ parameterTypes, columns }),
  };
  connection.submit(query);
  return promise;
}
