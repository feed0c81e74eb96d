import { join } from 'node:path';

/** Where the files are that the commands work with. */
export interface Project {
  readonly root: string;
  /** One folder a migration, with migration.sql and down.sql. */
  readonly migrations: string;
  /** One file a function, named `<schema>.<name>.sql`. */
  readonly functions: string;
  /** What only the distributed form of a database has, one file a function. */
  readonly distributed: string;
  /** The committed dump of the migrated database. */
  readonly dump: string;
  /** The folder with Prisma's models. */
  readonly models: string;
  /** Prisma's configuration. */
  readonly config: string;
}

/** The project in a folder; without one, the repository that these sources are in. */
export function projectAt(root = join(import.meta.dirname, '..', '..', '..')): Project {
  const prisma = join(root, 'prisma');
  return {
    root,
    migrations: join(prisma, 'migrations'),
    functions: join(prisma, 'functions'),
    distributed: join(prisma, 'distributed'),
    dump: join(prisma, 'schema.sql'),
    models: join(prisma, 'schema'),
    config: join(root, 'prisma.config.ts'),
  };
}
