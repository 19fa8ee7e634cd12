import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { MtaConnexion, type MtaMail } from "../../scripts/load/mta-connexion.ts";
import { type FakeSendmail, fakeSendmail } from "../lab/fake-sendmail.ts";
import { type Filter, startFilter } from "../lab/filter.ts";

/** Where one filter works, with a program in sendmail's place. */
export interface Place {
  readonly home: string;
  readonly socket: string;
  readonly spool: string;
  readonly sendmail: FakeSendmail;
  /** @param wrapper what the filter is run by */
  start(options: readonly string[], wrapper?: readonly string[]): Promise<Filter>;
  /** The folder of this instance below the spool directory. */
  instance(): string;
}

let counter = 0;

/**
 * Makes a place.
 * @param folder that it is made in; everybody must be able to pass through
 * @param lines added to clamd.conf
 */
export function noticePlace(folder: string, clamdSocket: string, lines = ""): Place {
  const home = join(folder, `place${++counter}`);
  mkdirSync(home, { mode: 0o777 });
  chmodSync(home, 0o777);
  const conf = join(home, "clamd.conf");
  writeFileSync(conf, `Foreground yes\nLocalSocket ${clamdSocket}\nAlertExceedsMax yes\n${lines}\n`);
  const sendmail = fakeSendmail(home);
  const socket = join(home, "milter.sock");
  const spool = join(home, "spool");
  const common = ["--canary=0", `--sendmail-bin=${sendmail.path}`, `--spool-dir=${spool}`];
  return {
    ...{ home, socket, spool, sendmail },
    start: (options, wrapper = []) =>
      startFilter({ conf, sockets: [socket], options: [...common, ...options], wrapper }),
    instance: () => {
      const [name = "no instance"] = readdirSync(spool);
      return join(spool, name);
    },
  };
}

/** Hands over one mail; answers what the filter said, or null when it was gone before. */
export async function handOver(socket: string, mail: MtaMail): Promise<string | null> {
  try {
    const mta = await MtaConnexion.open({ unix: socket });
    await mta.negotiate();
    await mta.greet();
    const { verdict } = await mta.mail({ body: Buffer.from("x\r\n"), ...mail });
    mta.quit();
    return verdict.kind === "replyCode" ? verdict.text : verdict.kind;
  } catch {
    return null;
  }
}

/** The processes of a filter that have a role. */
export function roleOf(filter: Filter, role: "keeper" | "child"): number[] {
  return filter.children().filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, "latin1").includes(role);
    } catch {
      return false;
    }
  });
}

/** Whom notices went to so far. */
export function toldBy(sendmail: FakeSendmail): Set<string> {
  return new Set(sendmail.mails().flatMap(({ args }) => args.slice(4)));
}

/** Paths of all messages in a quarantine directory, without descriptions and what was left unfinished. */
export function keptIn(directory: string): string[] {
  return readdirSync(directory)
    .flatMap((day) => readdirSync(join(directory, day)).map((name) => join(directory, day, name)))
    .filter((path) => !path.endsWith(".json") && !path.includes(".unfinished-"));
}

/** The name of today's folder in a quarantine directory. */
export function today(): string {
  const day = new Date();
  return [day.getFullYear() % 100, day.getMonth() + 1, day.getDate()]
    .map((part) => String(part).padStart(2, "0"))
    .join("");
}
