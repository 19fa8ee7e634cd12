import { afterAll, beforeAll, expect, test } from "bun:test";
import { chmodSync, chownSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { MtaConnexion } from "../../scripts/load/mta-connexion.ts";
import { NOTICE_BOUNDS } from "../../src/keeper/mailer.ts";
import { type FakeClamd, startFakeClamd } from "../fakes/clamd.ts";
import { plainFolder } from "../lab/folder.ts";
import { freePort } from "../lab/port.ts";
import { shiftedClock } from "../lab/shifted-clock.ts";
import { until } from "../lab/wait.ts";
import { handOver, keptIn, noticePlace, type Place, roleOf, today, toldBy } from "./notices-place.ts";

const folder = plainFolder();
const clamdSocket = join(folder.path, "clamd.sock");
let clamd: FakeClamd;

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

function place(lines = ""): Place {
  return noticePlace(folder.path, clamdSocket, lines);
}

/** Whom the random deaths may befall; all end with the supervisor. */
const VICTIMS = ["keeper", "child", "supervisor"] as const;
const DEATHS = 9;

test("killed at random: every notice of an answered message is sent, every kept file is whole", async () => {
  const { socket, sendmail, start, home } = place();
  const kept = join(home, "kept");
  mkdirSync(kept, { mode: 0o700 });
  const options = ["-U", kept, "-p", "virus@lab.example"];
  let filter = await start(options);
  const answered: string[] = [];
  const deaths: string[] = [];
  let at = 0;
  let over = false;
  const stream = async (): Promise<void> => {
    while (!over) {
      const to = `u${at}@lab.example`;
      const answer = await handOver(socket, { queueId: `Q${at++}`, recipients: [`<${to}>`] });
      if (answer?.startsWith("554") === true) answered.push(to);
      // No more than what notices may be sent of in an hour.
      await until(() => over || at < (deaths.length + 1) * 12, { deadline: 60_000, what: "the next death" });
    }
  };
  const streams = Array.from({ length: 4 }, () => stream());
  try {
    for (let death = 0; death < DEATHS; death++) {
      const before = answered.length;
      await until(() => answered.length > before, { what: "an answer", detail: filter.log });
      const victim = VICTIMS[Math.floor(Math.random() * VICTIMS.length)] ?? "keeper";
      await Bun.sleep(Math.random() * 30);
      if (victim === "supervisor") {
        filter.signal("SIGKILL");
        await filter.exited;
        filter = await start(options);
      } else {
        const [pid] = roleOf(filter, victim);
        if (pid !== undefined) process.kill(pid, "SIGKILL");
      }
      deaths.push(victim);
    }
    over = true;
    await Promise.all(streams);
    const detail = (): string => `${deaths} ${answered}\n${filter.log()}`;
    await until(() => answered.every((to) => toldBy(sendmail).has(to)), { what: "every notice", detail });
    expect(answered.length).toBeGreaterThanOrEqual(DEATHS);
    const messages = keptIn(kept);
    expect(messages.length).toBeGreaterThanOrEqual(answered.length);
    for (const path of messages) {
      expect(readFileSync(path, "latin1")).toBe("\r\nx\r\n");
      expect(JSON.parse(readFileSync(`${path}.json`, "utf8")).names).toEqual(["Eicar-Test"]);
    }
  } finally {
    over = true;
    await filter.stop();
  }
}, 90_000);

test("10,000 infected mails of 10,000 senders: no more notices than the bound, and a digest", async () => {
  const { socket, sendmail, start, home, instance } = place();
  const clock = shiftedClock(home);
  const options = ["-P", "-p", "virus@lab.example"];
  let filter = await start(options, clock.wrapper);
  const flood = async (first: number, last: number): Promise<void> => {
    const work = async (lane: number): Promise<void> => {
      const mta = await MtaConnexion.open({ unix: socket });
      await mta.negotiate();
      await mta.greet();
      for (let at = first + lane; at < last; at += 20) {
        const mail = { sender: `<s${at}@x.example>`, queueId: `Q${at}`, body: Buffer.from("x") };
        expect((await mta.mail(mail)).verdict.kind).toBe("replyCode");
      }
      mta.quit();
    };
    await Promise.all(Array.from({ length: 20 }, (_, lane) => work(lane)));
  };
  const bound = NOTICE_BOUNDS.perRecipient;
  const subjects = (): string[] =>
    sendmail.mails().flatMap(({ header }) => header.filter((line) => line.startsWith("Subject: Infected")));
  try {
    // The hour goes on when the keeper is replaced, and when the program is started anew.
    await flood(0, 20);
    const [keeper = 0] = roleOf(filter, "keeper");
    process.kill(keeper, "SIGKILL");
    await flood(20, 40);
    await filter.stop();
    filter = await start(options, clock.wrapper);
    await flood(40, 10_000);
    await until(() => sendmail.mails().length >= bound, { what: "notices", detail: filter.log });
    await filter.stop();
    expect(new Set(sendmail.mails().map(({ text }) => /Message-ID: \S+/.exec(text)?.[0])).size).toBe(bound);
    const omitted = JSON.parse(readFileSync(join(instance(), "left-out.json"), "utf8"));
    expect(omitted.mails).toBe(10_000 - bound);
    clock.set(3601);
    filter = await start(options, clock.wrapper);
    const digest = `Subject: Infected mail: ${10_000 - bound} notices were left out`;
    await until(() => subjects().includes(digest), { what: "the digest", detail: () => `${subjects()}` });
    const before = sendmail.mails().length;
    await flood(0, 1);
    await until(() => sendmail.mails().length > before, { what: "a notice of the next hour" });
    expect(subjects().at(-1)).toBe("Subject: Infected mail refused: Eicar-Test");
  } finally {
    await filter.stop();
  }
}, 90_000);

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
    expect(await handOver(socket, { headers: [["Subject", "from the jail"]] })).toStartWith("554 ");
    await until(() => sendmail.mails().length === 1, { what: "the notice", detail: filter.log });
    expect(sendmail.mails()[0]?.body).toContain("Subject: from the jail\n");
    expect(readdirSync(jail)).toEqual([]);
    expect(readdirSync(kept).flatMap((day) => readdirSync(join(kept, day))).length).toBe(2);
  } finally {
    await filter.stop();
  }
}, 30_000);

test("a notice without the header names the machine that the header tells of", async () => {
  const { socket, sendmail, start } = place();
  const filter = await start(["-P", "-p", "virus@lab.example"]);
  try {
    const headers: [string, string][] = [
      ["Received", "from relay.example.net by mx.example.net"],
      ["Received", "from localhost (pc7.example.net [10.1.2.3])\n\tby relay.example.net"],
      ["Subject", "of no interest"],
    ];
    expect(await handOver(socket, { headers })).toStartWith("554 ");
    await until(() => sendmail.mails().length === 1, { what: "the notice", detail: filter.log });
    const body = sendmail.mails()[0]?.body;
    expect(body).toContain("\n    from localhost (pc7.example.net [10.1.2.3]) by relay.example.net\n");
    expect(body).not.toContain("of no interest");
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
    writeFileSync(join(kept, today()), "");
    expect(await handOver(socket, {})).toBe("tempfail");
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
    // Who follows a keeper that was killed knows what it has told.
    const [keeper = 0] = roleOf(filter, "keeper");
    process.kill(keeper, "SIGKILL");
    await until(() => roleOf(filter, "keeper").some((pid) => pid !== keeper), { what: "another keeper" });
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
    expect(await handOver(milter, {})).toStartWith("554 ");
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
