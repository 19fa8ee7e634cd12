import { isMainThread, parentPort, workerData } from "node:worker_threads";
import { runChild } from "./child/child.ts";
import { runEngine } from "./engine/engine.ts";
import { runThread } from "./engine/thread.ts";
import { ROLES } from "./ipc/role.ts";
import { runKeeper } from "./keeper/keeper.ts";
import { runCommandLine, runSupervisor } from "./supervisor/starter.ts";

/** Role to start function; the roles are words that no user's command line has. */
const role = process.argv[2];
if (!isMainThread) runThread(workerData, (event) => parentPort?.postMessage(event));
else if (role === ROLES.child) await runChild();
else if (role === ROLES.keeper) await runKeeper();
else if (role === ROLES.engine) await runEngine();
else if (role === ROLES.supervisor) process.exit(await runSupervisor());
else process.exit(await runCommandLine(process.argv.slice(2)));
