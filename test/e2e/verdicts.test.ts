import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  type MtaClient,
  MtaConnexion,
  type MtaMail,
  type MtaOffer,
} from "../../scripts/load/mta-connexion.ts";
import { startFakeClamd } from "../fakes/clamd.ts";
import { type Clamd, startClamd } from "../lab/clamd.ts";
import { eicar } from "../lab/eicar.ts";
import { type Filter, startFilter } from "../lab/filter.ts";
import { plainFolder } from "../lab/folder.ts";

const folder = plainFolder();
let clamd: Clamd;
let counter = 0;

beforeAll(async () => {
  clamd = await startClamd({ folder: folder.path });
});

afterAll(async () => {
  await clamd.stop();
  folder.remove();
});

interface Given {
  readonly options?: readonly string[];
  readonly conf?: string;
  readonly offer?: MtaOffer;
  readonly client?: MtaClient;
}

interface Seen {
  readonly connect: string;
  readonly answer: string;
  /** What was done to the headers, in order. */
  readonly changes: readonly string[];
  readonly log: string;
}

/** Starts the filter, hands it one mail as an MTA, and tells what was answered. */
async function judge(mail: MtaMail, given: Given = {}): Promise<Seen> {
  const socket = join(folder.path, `milter${++counter}.sock`);
  const filter = await startFilter({
    conf: given.conf ?? clamd.confPath,
    sockets: [socket],
    options: ["-q", ...(given.options ?? [])],
  });
  try {
    const mta = await MtaConnexion.open({ unix: socket });
    await mta.negotiate(given.offer);
    const connect = await mta.greet(given.client);
    const outcome = connect.kind === "continue" ? await mta.mail(mail) : null;
    mta.quit();
    await filter.stop();
    const verdict = outcome?.verdict ?? connect;
    return {
      connect: connect.kind,
      answer: verdict.kind === "replyCode" ? verdict.text : verdict.kind,
      changes: (outcome?.modifications ?? []).map((change) => {
        if (change.kind === "addHeader") return `+ ${change.name}:${change.value}`;
        if (change.kind === "changeHeader") return `- ${change.name} ${change.index}`;
        return change.kind;
      }),
      log: filter.log(),
    };
  } finally {
    await filter.stop();
  }
}

function withConf(lines: string): string {
  const path = join(folder.path, `conf${++counter}`);
  writeFileSync(path, `Foreground yes\nLocalSocket ${clamd.socketPath}\n${lines}\n`);
  return path;
}

const CLEAN: MtaMail = { headers: [["Subject", "hello"]], body: Buffer.from("hello\r\n") };
const FORGED: MtaMail = {
  headers: [
    ["X-Virus-Status", "Clean"],
    ["Subject", "hello"],
    ["X-VIRUS-status", "Clean"],
  ],
  body: Buffer.from("hello\r\n"),
};
const INFECTED: MtaMail = { headers: [["Subject", "hello"]], body: Buffer.from(eicar()) };
const REFUSED = "554 5.7.1 virus Eicar-Test-Signature.UNOFFICIAL detected by ClamAV - http://www.clamav.net";

describe("the default verdict", () => {
  test("clean: the sender's status goes, highest index first, and ours comes", async () => {
    const { answer, changes } = await judge(FORGED);
    expect(answer).toBe("accept");
    expect(changes).toEqual([
      "- X-Virus-Status 2",
      "- X-Virus-Status 1",
      expect.stringMatching(/^\+ X-Virus-Scanned: ClamAV version 1\S+, clamav-milter version \S+ on \S+$/),
      "+ X-Virus-Status: Clean",
    ]);
  });

  test("infected: refused with the classic text, nothing is changed", async () => {
    const { answer, changes, log } = await judge(INFECTED);
    expect(answer).toBe(REFUSED);
    expect(changes).toEqual([]);
    expect(log).toMatch(/4AMtest0001: rejected virus="Eicar\S+" from=<sender@example.net>/);
  });

  test("--noreject: infected mail is discarded", async () => {
    expect((await judge(INFECTED, { options: ["--noreject"] })).answer).toBe("discard");
  });

  test("an infected bounce of MDaemon's is discarded, so that it is not bounced once more", async () => {
    const mail = { ...INFECTED, headers: [["Message-ID", "<MDAEMON-1@example.net>"]] as [string, string][] };
    expect((await judge(mail)).answer).toBe("discard");
  });

  test("--noxheader: nothing is added or removed", async () => {
    const { answer, changes } = await judge(FORGED, { options: ["-n"] });
    expect(answer).toBe("accept");
    expect(changes).toEqual([]);
  });

  test("LogClean: a clean message has its line", async () => {
    expect((await judge(CLEAN)).log).toContain("4AMtest0001: clean from=<sender@example.net>");
    const quiet = await judge(CLEAN, { conf: withConf("LogClean no") });
    expect(quiet.log).not.toContain("4AMtest0001");
  });
});

describe("what is not scanned is never called clean", () => {
  const OVERSIZE = [
    "- X-Virus-Status 2",
    "- X-Virus-Status 1",
    "+ X-Virus-Status: Not Scanned - StreamMaxLength exceeded",
  ];
  const LONG = { ...FORGED, body: Buffer.alloc(300_000, "x\r\n") };

  test("over StreamMaxLength: accepted as not scanned", async () => {
    const { answer, changes, log } = await judge(LONG, { conf: withConf("StreamMaxLength 200K") });
    expect(answer).toBe("accept");
    expect(changes).toEqual(OVERSIZE);
    expect(log).toContain('not scanned reason="StreamMaxLength exceeded"');
  });

  test("over MaxFileSize, which clamd skips and calls OK: the same", async () => {
    const { changes } = await judge(LONG, { conf: withConf("MaxFileSize 200K") });
    expect(changes).toEqual(OVERSIZE);
  });

  test("over clamd's own smaller limit, learned from its reply: the same", async () => {
    const strict = await startClamd({
      folder: folder.path,
      name: "strict",
      // What is passed as a descriptor knows no such limit.
      localSocket: false,
      tcp: true,
      conf: { StreamMaxLength: "100K" },
    });
    try {
      const conf = join(folder.path, "generous.conf");
      writeFileSync(conf, `Foreground yes\nTCPSocket ${strict.tcpPort}\n`);
      for (const body of [LONG.body, Buffer.alloc(5_000_000, "x\r\n")]) {
        expect((await judge({ ...LONG, body }, { conf })).changes).toEqual(OVERSIZE);
      }
    } finally {
      await strict.stop();
    }
  });

  test("--dont-scan-on-error: no scanner, accepted as not scanned; else a temporary failure", async () => {
    const path = join(folder.path, "nonsense.sock");
    const conf = join(folder.path, "nonsense.conf");
    writeFileSync(conf, `Foreground yes\nLocalSocket ${path}\n`);
    const fake = startFakeClamd(path, () => ({ say: "stream: Can't allocate memory ERROR" }));
    const lenient = await judge(FORGED, { conf, options: ["-d"] });
    expect(lenient.answer).toBe("accept");
    expect(lenient.changes).toEqual([
      "- X-Virus-Status 2",
      "- X-Virus-Status 1",
      "+ X-Virus-Status: Not Scanned",
    ]);
    const strict = await judge(FORGED, { conf });
    expect(strict.answer).toBe("tempfail");
    expect(strict.log).toContain(`tempfailed reason="clamd: stream: Can't allocate memory"`);
    fake.stop();
  });

  test("headers that may not be deleted keep an unscanned message waiting", async () => {
    const offer = { version: 6, actions: 0x1, steps: 0x1fffff };
    const { answer } = await judge(LONG, { conf: withConf("StreamMaxLength 200K"), offer });
    expect(answer).toBe("tempfail");
  });

  const NONSENSE = [
    "stream: OK FOUND of nothing",
    "OK",
    "stream: ok",
    "",
    "stream: FOUND",
    "fd[3]: OK",
    "\x1b[2J",
  ];
  test("whatever clamd says that is no verdict is none", async () => {
    const path = join(folder.path, "babble.sock");
    const conf = join(folder.path, "babble.conf");
    writeFileSync(conf, `Foreground yes\nLocalSocket ${path}\n`);
    const fake = startFakeClamd(path, (stream) => ({ say: NONSENSE[stream - 1] ?? "stream: ERROR" }));
    for (const _ of NONSENSE) {
      const { answer, log } = await judge(CLEAN, { conf });
      expect(answer).toBe("tempfail");
      expect(log).not.toMatch(/[^\n\x20-\x7e]/);
    }
    expect(fake.streams).toBeGreaterThanOrEqual(NONSENSE.length);
    fake.stop();
  });

  test("a clamd that dies in its reply is asked again, and its next answer counts", async () => {
    const path = join(folder.path, "dying.sock");
    const conf = join(folder.path, "dying.conf");
    writeFileSync(conf, `Foreground yes\nLocalSocket ${path}\n`);
    const fake = startFakeClamd(path, (stream) =>
      stream < 2 ? { die: true } : { say: "stream: Late.Virus FOUND" },
    );
    expect((await judge(CLEAN, { conf })).answer).toStartWith("554 5.7.1 virus Late.Virus ");
    expect(fake.streams).toBe(2);
    fake.stop();
  });

  test("a clamd that says nothing for ReadTimeout: temporary failure, -d says so in the header", async () => {
    const path = join(folder.path, "mute.sock");
    const conf = join(folder.path, "mute.conf");
    writeFileSync(conf, `Foreground yes\nLocalSocket ${path}\nReadTimeout 1\n`);
    const fake = startFakeClamd(path, () => ({ silence: true }));
    expect((await judge(CLEAN, { conf })).answer).toBe("tempfail");
    const lenient = await judge(CLEAN, { conf, options: ["-d"] });
    expect(lenient.changes).toEqual(["+ X-Virus-Status: Not Scanned - Read timeout exceeded"]);
    fake.stop();
  });
});

test("a slow scan is announced to the MTA every few seconds", async () => {
  const path = join(folder.path, "slow.sock");
  const conf = join(folder.path, "slow.conf");
  writeFileSync(conf, `Foreground yes\nLocalSocket ${path}\n`);
  const fake = startFakeClamd(path, () => ({ say: "stream: OK", after: 9_500 }));
  const socket = join(folder.path, "slow-milter.sock");
  const filter: Filter = await startFilter({ conf, sockets: [socket], options: ["-q"] });
  const mta = await MtaConnexion.open({ unix: socket });
  await mta.negotiate();
  await mta.greet();
  const outcome = await mta.mail(CLEAN);
  expect(outcome.verdict.kind).toBe("accept");
  expect(outcome.progress).toBe(2);
  mta.quit();
  await filter.stop();
  fake.stop();
}, 60_000);

describe("which mail is scanned", () => {
  const ORIGINS: readonly {
    readonly name: string;
    readonly client: MtaClient;
    readonly accepted: Record<string, boolean>;
  }[] = [
    {
      name: "this machine",
      client: { address: "127.0.0.1" },
      accepted: { "": true, "-o": false, "-l": true, "-f": false },
    },
    {
      name: "this machine by IPv6",
      client: { family: "inet6", address: "IPv6:::1" },
      accepted: { "": true, "-o": false, "-l": true },
    },
    {
      name: "a client without an address",
      client: { family: "unknown" },
      accepted: { "": true, "-o": false, "-f": false },
    },
    {
      name: "the LAN",
      client: { address: "10.255.255.255" },
      accepted: { "": true, "-o": true, "-l": false, "-f": false },
    },
    {
      name: "an ignored net",
      client: { address: "198.51.100.9" },
      accepted: { "": false, "-I198.51.100.0/28": true },
    },
    {
      name: "elsewhere",
      client: { address: "203.0.113.7" },
      accepted: { "": false, "-o": false, "-l": false },
    },
  ];
  for (const { name, client, accepted } of ORIGINS) {
    for (const [option, isAccepted] of Object.entries(accepted)) {
      test(`mail from ${name}${option === "" ? "" : ` with ${option}`} is ${isAccepted ? "let through" : "scanned"}`, async () => {
        const seen = await judge(INFECTED, { client, options: option === "" ? [] : [option] });
        expect([seen.connect, seen.answer]).toEqual(
          isAccepted ? ["accept", "accept"] : ["continue", REFUSED],
        );
        expect(seen.changes).toEqual([]);
      });
    }
  }
});
