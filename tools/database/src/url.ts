// db:url: the address of the database that dev and the other commands use, and nothing else on standard output.
import { findDevelopmentServer } from '@repo/postgres/server';
import { readCommandLine } from '@repo/command/command-line';
import { print, runCommand } from './command.ts';
import { readEnvironment } from './env.ts';
import { projectAt } from './project.ts';
import { developmentUrl } from './target.ts';

const USAGE = `Usage: db:url

Prints the address of the database that dev uses, for programs of your own. It holds the password. The development
database has the same address each time; it can be reached while dev, or another command that uses it, runs.

  DATABASE_URL=$(npm run -s db:url) node my-app.ts

Settings, from the environment or .env:
  DATABASE_URL   is printed as it is, whether or not a server answers there

Exit codes: 0 printed, 1 the development database does not run, 2 the command line cannot be used.`;

readCommandLine(USAGE);

await runCommand(async () => {
  const { root } = projectAt();
  const { databaseUrl: configured } = readEnvironment(root);
  if (configured !== undefined) {
    print(configured);
    return 0;
  }
  const server = await findDevelopmentServer(root);
  if (server === null) {
    process.stderr.write(
      'The development database does not run. Start it with `npm run dev`, in another terminal, and ask again.\n',
    );
    return 1;
  }
  print(developmentUrl(server));
  return 0;
});
