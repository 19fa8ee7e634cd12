import { afterAll, beforeAll, expect, test } from "bun:test";
import { chmodSync, chownSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { MtaConnexion, type MtaMail } from "../../scripts/load/mta-connexion.ts";
import { NOTICE_BOUNDS } from "../../src/keeper/mailer.ts";
import { type FakeClamd, startFakeClamd } from "../fakes/clamd.ts";
import { type FakeSendmail, fakeSendmail } from "../lab/fake-sendmail.ts";
import { type Filter, startFilter } from "../lab/filter.ts";
import { plainFolder } from "../lab/folder.ts";
import { freePort } from "../lab/port.ts";
import { until } from "../lab/wait.ts";

const folder = plainFolder();
const clamdSocket = join(folder.path, "clamd.sock");
let clamd: FakeClamd;
let counter = 0;

function startClamd(): void {
  clamd = startFakeClamd(clamdSocket, () => ({ say: "stream: Eicar-Test FOUND" }));
  chmodSync(clamdSocket, 0o777);
}

beforeAll(() => {
  chmodSync(folder.path, 0o755);
  startClamd();
});

afterAll(() => {
  clamd.stop();
  folder.remove();
});

interface Place {
  readonly home: string;
  readonly socket: string;
  readonly spool: string;
  readonly sendmail: FakeSendmail;
  start(options: readonly string[]): Promise<Filter>;
}

function place(lines = ""): Place {
  const home = join(folder.path, `place${++counter}`);
  mkdirSync(home, { mode: 0o777 });
  chmodSync(home, 0o777);
  const conf = join(home, "clamd.conf");
  writeFileSync(conf, `Foreground yes\nLocalSocket ${clamdSocket}\nAlertExceedsMax yes\n${lines}\n`);
  const sendmail = fakeSendmail(home);
  const socket = join(home, "milter.sock");
  const spool = join(home, "spool");
  const common = ["--canary=0", `--sendmail-bin=${sendmail.path}`, `--spool-dir=${spool}`];
  const start = (options: readonly string[]): Promise<Filter> =>
    startFilter({ conf, sockets: [socket], options: [...common, ...options] });
  return { home, socket, spool, sendmail, start };
}

/** Hands over one infected mail; answers what the filter said, or null when it was gone before. */
async function infect(socket: string, mail: MtaMail): Promise<string | null> {
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

function keeperOf(filter: Filter): number | undefined {
  return filter.children().find((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, "latin1").includes("keeper");
    } catch {
      return false;
    }
  });
}

test("keeper killed, then all: every notice of an answered message is sent, every kept file is whole", async () => {
  const { socket, sendmail, start, home } = place();
  const kept = join(home, "kept");
  mkdirSync(kept, { mode: 0o700 });
  const options = ["-U", kept, "-p", "virus@lab.example"];
  sendmail.fail(75);
  let filter = await start(options);
  const answered: string[] = [];
  const send = async (at: number): Promise<void> => {
    const to = `u${at}@lab.example`;
    const answer = await infect(socket, { queueId: `Q${at}`, recipients: [`<${to}>`] });
    if (answer?.startsWith("554") === true) answered.push(to);
  };
  let at = 0;
  for (let round = 0; round < 4; round++) {
    const sending = Array.from({ length: 12 }, () => send(at++));
    await until(() => answered.length > round * 2, { what: "an answer", detail: filter.log });
    const keeper = keeperOf(filter);
    if (keeper !== undefined) process.kill(keeper, "SIGKILL");
    await Promise.all(sending);
  }
  const last = Array.from({ length: 12 }, () => send(at++));
  await until(() => answered.length > 10, { what: "an answer", detail: filter.log });
  filter.signal("SIGKILL");
  await Promise.all(last);
  await filter.exited;
  sendmail.fail(0);
  filter = await start(options);
  try {
    const told = (): Set<string> => new Set(sendmail.mails().flatMap(({ args }) => args.slice(4)));
    await until(() => answered.every((to) => told().has(to)), { what: "every notice", detail: filter.log });
    expect(answered.length).toBeGreaterThan(10);
    const names = readdirSync(kept).flatMap((day) =>
      readdirSync(join(kept, day)).map((name) => join(kept, day, name)),
    );
    const messages = names.filter((name) => !name.endsWith(".json") && !name.includes(".unfinished-"));
    expect(messages.length).toBeGreaterThanOrEqual(answered.length);
    for (const path of messages) {
      expect(readFileSync(path, "latin1")).toBe("\r\nx\r\n");
      expect(JSON.parse(readFileSync(`${path}.json`, "utf8")).names).toEqual(["Eicar-Test"]);
    }
  } finally {
    await filter.stop();
  }
}, 60_000);

test("10,000 infected mails of 10,000 senders: no more notices than the bound, and a digest is due", async () => {
  const { socket, sendmail, start, spool } = place();
  const filter = await start(["-P", "-p", "virus@lab.example"]);
  try {
    const work = async (first: number): Promise<void> => {
      const mta = await MtaConnexion.open({ unix: socket });
      await mta.negotiate();
      await mta.greet();
      for (let at = first; at < 10_000; at += 20) {
        const outcome = await mta.mail({
          sender: `<s${at}@x.example>`,
          queueId: `Q${at}`,
          body: Buffer.from("x"),
        });
        expect(outcome.verdict.kind).toBe("replyCode");
      }
      mta.quit();
    };
    await Promise.all(Array.from({ length: 20 }, (_, first) => work(first)));
    await until(() => sendmail.mails().length >= NOTICE_BOUNDS.perRecipient, { what: "notices" });
    await filter.stop();
    expect(sendmail.mails().length).toBe(NOTICE_BOUNDS.perRecipient);
    const [instance = ""] = readdirSync(spool);
    const omitted = JSON.parse(readFileSync(join(spool, instance, "left-out.json"), "utf8"));
    expect(omitted.mails).toBe(10_000 - NOTICE_BOUNDS.perRecipient);
  } finally {
    await filter.stop();
  }
}, 60_000);

test("in a chroot jail that is empty, as another user, notices arrive and messages are kept", async () => {
  const { socket, sendmail, start, home } = place("User nobody");
  const jail = join(home, "jail");
  const kept = join(home, "kept");
  mkdirSync(jail, { mode: 0o755 });
  mkdirSync(kept, { mode: 0o700 });
  const nobody = Number(Bun.spawnSync(["id", "-u", "nobody"]).stdout.toString());
  chownSync(kept, nobody, nobody);
  const filter = await start(["-C", jail, "-U", kept, "-H", "--socket-mode=0666"]);
  try {
    expect(await infect(socket, { headers: [["Subject", "from the jail"]] })).toStartWith("554 ");
    await until(() => sendmail.mails().length === 1, { what: "the notice", detail: filter.log });
    expect(sendmail.mails()[0]?.body).toContain("Subject: from the jail\n");
    expect(readdirSync(jail)).toEqual([]);
    expect(readdirSync(kept).flatMap((day) => readdirSync(join(kept, day))).length).toBe(2);
  } finally {
    await filter.stop();
  }
}, 30_000);

test("a quarantine directory that takes nothing: the message is deferred, and no notice is sent", async () => {
  const { socket, sendmail, start, home } = place();
  const kept = join(home, "kept");
  mkdirSync(kept, { mode: 0o700 });
  const filter = await start(["-U", kept]);
  try {
    // What root may not do either: make a folder where a file is.
    const day = new Date();
    const name = [day.getFullYear() % 100, day.getMonth() + 1, day.getDate()]
      .map((part) => String(part).padStart(2, "0"))
      .join("");
    writeFileSync(join(kept, name), "");
    expect(await infect(socket, {})).toBe("tempfail");
    expect(await filter.logLine(/deferred, for what must be kept of it cannot be kept/)).toContain("ENOTDIR");
    expect(sendmail.mails()).toEqual([]);
  } finally {
    await filter.stop();
  }
}, 30_000);

test("no scanner is left: one mail, and one when it is back, even with --quiet", async () => {
  const { sendmail, start } = place();
  const filter = await start(["-q", "-p", "virus@lab.example"]);
  try {
    const subjects = (): string[] =>
      sendmail.mails().flatMap(({ header }) => header.filter((line) => line.startsWith("Subject:")));
    clamd.stop();
    await until(() => subjects().length === 1, { what: "the first mail", detail: filter.log });
    startClamd();
    await until(() => subjects().length === 2, { what: "the second mail", detail: filter.log });
    expect(subjects()).toEqual(["Subject: ClamAV Down", "Subject: ClamAV is back"]);
    expect(sendmail.mails()[0]?.args).toEqual(["-i", "-f", "<>", "--", "virus@lab.example"]);
  } finally {
    await filter.stop();
  }
}, 60_000);

test("--broadcast: one datagram when the program starts, when something is found, and when it stops", async () => {
  const port = await freePort();
  const heard: string[] = [];
  const socket = await Bun.udpSocket({
    port,
    hostname: "0.0.0.0",
    socket: { data: (_socket, data) => void heard.push(data.toString()) },
  });
  const { start, socket: milter } = place(`TCPSocket ${port}`);
  try {
    const filter = await start(["-Blo", "-q"]);
    expect(await infect(milter, {})).toStartWith("554 ");
    await filter.stop();
    await until(() => heard.length === 3, {
      what: "three datagrams",
      detail: () => `${heard}\n${filter.log()}`,
    });
    expect(heard).toEqual(["Starting clamav-milter", "stream: Eicar-Test", "Stopping clamav-milter"]);
  } finally {
    socket.close();
  }
}, 30_000);
