import { afterAll, beforeAll, describe } from "bun:test";
import { startClamd } from "../lab/clamd.ts";
import { startFilter } from "../lab/filter.ts";
import { trustedFolder } from "../lab/folder.ts";
import { freePort } from "../lab/port.ts";
import { type Postfix, startPostfix } from "../lab/postfix.ts";
import { startSink } from "../lab/sink.ts";
import { describeMta, type Host } from "./mta-scenario.ts";

describe("Postfix 3.7", () => {
  const folder = trustedFolder();
  let host: Host;
  let postfix: Postfix;

  beforeAll(async () => {
    const port = await freePort();
    const [clamd, sink] = await Promise.all([startClamd({ folder: folder.path }), startSink()]);
    const filter = await startFilter({
      conf: clamd.confPath,
      sockets: [`inet:${port}@127.0.0.1`],
      options: ["-o", "-l", "-q"],
    });
    const milter = `inet:127.0.0.1:${port}`;
    postfix = await startPostfix({ folder: folder.path, milter, sinkPort: sink.port });
    host = { clamd, filter, sink, port: postfix.port };
  });

  afterAll(async () => {
    await postfix.stop();
    await host.filter.stop();
    await host.clamd.stop();
    await host.sink.stop();
    folder.remove();
  });

  describeMta(() => host);
});
