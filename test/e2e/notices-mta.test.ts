import { afterAll, beforeAll, describe } from "bun:test";
import { startClamd } from "../lab/clamd.ts";
import { trustedFolder } from "../lab/folder.ts";
import { freePort } from "../lab/port.ts";
import { startPostfix } from "../lab/postfix.ts";
import { startSendmail } from "../lab/sendmail.ts";
import { startSink } from "../lab/sink.ts";
import { describeNotices, type NoticeHost } from "./notices-scenario.ts";

/** Both MTAs scan what comes from this machine, so that our own mail comes back to us where they let it. */
for (const kind of ["sendmail 8.17", "Postfix 3.7"]) {
  describe(kind, () => {
    const folder = trustedFolder();
    let host: NoticeHost;
    let stop: () => Promise<void>;

    beforeAll(async () => {
      const milterPort = await freePort();
      const [clamd, sink] = await Promise.all([startClamd({ folder: folder.path }), startSink()]);
      const common = { folder: folder.path, sinkPort: sink.port };
      const mta =
        kind === "Postfix 3.7"
          ? await startPostfix({ ...common, milter: `inet:127.0.0.1:${milterPort}`, nonSmtpdMilter: true })
          : await startSendmail({ ...common, milter: { spec: `inet:${milterPort}@127.0.0.1`, flags: "T" } });
      host = { clamd, sink, folder: folder.path, milterPort, port: mta.port, sendmail: mta.programFile() };
      stop = async () => {
        await mta.stop();
        await clamd.stop();
        await sink.stop();
      };
    }, 60_000);

    afterAll(async () => {
      await stop();
      folder.remove();
    });

    describeNotices(() => host);
  });
}
