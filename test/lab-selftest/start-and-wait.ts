import { startClamd } from "../lab/clamd.ts";
import { startPostfix } from "../lab/postfix.ts";
import { startSendmail } from "../lab/sendmail.ts";
import { startSink } from "../lab/sink.ts";

/** Starts every long-running program of the labs in the folder named on the command line, and waits to be killed. */
const folder = process.argv[2] ?? "";
const sink = await startSink();
await Promise.all([
  startClamd({ folder }),
  startSendmail({ folder, sinkPort: sink.port }),
  startPostfix({ folder, sinkPort: sink.port }),
]);
console.log("ready");
