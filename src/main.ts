import { runChild } from "./child/child.ts";
import { CHILD_ROLE } from "./child/role.ts";
import { runCommandLine } from "./supervisor/starter.ts";

/** Role to start function; the roles are words that no user's command line has. */
const role = process.argv[2];
if (role === CHILD_ROLE) await runChild();
else process.exit(await runCommandLine(process.argv.slice(2)));
