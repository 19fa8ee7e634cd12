import { afterAll, beforeAll, describe } from "bun:test";
import { join } from "node:path";
import { type Clamd, startClamd } from "../lab/clamd.ts";
import { type Filter, startFilter } from "../lab/filter.ts";
import { trustedFolder } from "../lab/folder.ts";
import { freePort } from "../lab/port.ts";
import { type Sendmail, type SendmailMilter, startSendmail } from "../lab/sendmail.ts";
import { type Sink, startSink } from "../lab/sink.ts";
import { describeMta, type Host } from "./mta-scenario.ts";

const CASES: readonly {
  readonly name: string;
  readonly flags: SendmailMilter["flags"];
  readonly unix: boolean;
}[] = [
  { name: "sendmail 8.17 with F=T over TCP", flags: "T", unix: false },
  { name: "sendmail 8.17 without F over a unix socket", flags: "", unix: true },
];

for (const { name, flags, unix } of CASES) {
  describe(name, () => {
    const folder = trustedFolder();
    let host: Host & { clamd: Clamd; filter: Filter; sink: Sink };
    let sendmail: Sendmail;

    beforeAll(async () => {
      const port = await freePort();
      const path = join(folder.path, "milter.sock");
      const [clamd, sink] = await Promise.all([startClamd({ folder: folder.path }), startSink()]);
      const filter = await startFilter({
        conf: clamd.confPath,
        sockets: [unix ? `local:${path}` : `inet:${port}@127.0.0.1`],
        options: ["-o", "-l", "-q"],
      });
      const spec = unix ? `unix:${path}` : `inet:${port}@127.0.0.1`;
      sendmail = await startSendmail({ folder: folder.path, milter: { spec, flags }, sinkPort: sink.port });
      host = { clamd, filter, sink, port: sendmail.port };
    });

    afterAll(async () => {
      await sendmail.stop();
      await host.filter.stop();
      await host.clamd.stop();
      await host.sink.stop();
      folder.remove();
    });

    describeMta(() => host);
  });
}
