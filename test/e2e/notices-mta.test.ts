import { afterAll, beforeAll, describe } from "bun:test";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { startClamd } from "../lab/clamd.ts";
import { trustedFolder } from "../lab/folder.ts";
import { freePort } from "../lab/port.ts";
import { startPostfix } from "../lab/postfix.ts";
import { startSendmail } from "../lab/sendmail.ts";
import { submissionProgram } from "../lab/sendmail-submission.ts";
import { startSink } from "../lab/sink.ts";
import { describeOwnMail } from "./notices-own-scenario.ts";
import { describeNotices, type NoticeHost } from "./notices-scenario.ts";

/** What both have. */
interface Mta extends Pick<NoticeHost, "port" | "sendmail" | "queued"> {
  stop(): Promise<void>;
}

/** Both MTAs scan what comes from this machine, so that our own mail comes back to us where they let it. */
for (const kind of ["sendmail 8.17", "Postfix 3.7"]) {
  describe(kind, () => {
    const folder = trustedFolder();
    let host: NoticeHost;
    let stop: () => Promise<void>;

    beforeAll(async () => {
      const milterPort = await freePort();
      // What passes as our own is only told of with LogVerbose.
      const starting = startClamd({ folder: folder.path, conf: { LogVerbose: "yes" } });
      const [clamd, sink] = await Promise.all([starting, startSink()]);
      const common = { folder: folder.path, sinkPort: sink.port };
      const begin = async (): Promise<Mta> => {
        if (kind === "Postfix 3.7") {
          const milter = `inet:127.0.0.1:${milterPort}`;
          const postfix = await startPostfix({ ...common, milter, nonSmtpdMilter: true });
          const queued = async (): Promise<number> => (await postfix.listQueue()).length;
          return { ...postfix, sendmail: postfix.programFile(), queued };
        }
        const milter = { spec: `inet:${milterPort}@127.0.0.1`, flags: "T" } as const;
        const sendmail = await startSendmail({ ...common, milter });
        const queues = [sendmail.queueFolder, join(folder.path, "submission/queue")];
        return {
          ...sendmail,
          sendmail: await submissionProgram(sendmail, folder.path),
          queued: async () => queues.flatMap((path) => readdirSync(path)).length,
        };
      };
      const mta = await begin();
      const { port, sendmail, queued } = mta;
      host = { clamd, sink, folder: folder.path, milterPort, port, sendmail, queued };
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
    describeOwnMail(() => host);
  });
}
