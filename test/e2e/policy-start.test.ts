import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, chownSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { cachedPart, partCommand } from "../../scripts/debian/parts.ts";
import { type Clamd, startClamd, writeDirectives } from "../lab/clamd.ts";
import { eicar } from "../lab/eicar.ts";
import { BINARY, startFilter } from "../lab/filter.ts";
import { type LabFolder, plainFolder } from "../lab/folder.ts";
import { type Finished, run } from "../lab/process.ts";
import { until } from "../lab/wait.ts";
import { judge } from "./policy-mta.ts";

/** The user and group nobody have this number on every Debian. */
const NOBODY = 65_534;

let folder: LabFolder;
let clamd: Clamd;

beforeAll(async () => {
  folder = plainFolder();
  // Another user has to get in.
  chmodSync(folder.path, 0o755);
  clamd = await startClamd({ folder: folder.path });
});

afterAll(async () => {
  await clamd.stop();
  folder.remove();
});

const at = (name: string): string => join(folder.path, name);

function file(name: string, text: string, mode = 0o644): string {
  writeFileSync(at(name), text);
  chmodSync(at(name), mode);
  return at(name);
}

/** A sendmail that says what is wanted, and ends as is wanted. */
function sendmail(name: string, version: string, status: number): string {
  const lines = [
    "#!/bin/sh",
    'case "$*" in',
    `*-bt*) echo '${version}';;`,
    `*-bv*) exit ${status};;`,
    "esac",
  ];
  return file(name, `${lines.join("\n")}\n`, 0o755);
}

/** A start that fails. */
async function start(options: readonly string[], conf = clamd.confPath): Promise<Finished> {
  const argv = [BINARY, "--foreground", "-e", "-q", "--no-check-cf", "-c", conf, ...options, at("m.sock")];
  return run({ argv, deadline: 30_000 });
}

/** clamd.conf for a program that becomes somebody else. */
function confFor(directives: Readonly<Record<string, string>>): string {
  const path = at(`as-user-${Math.random()}.conf`);
  writeDirectives(path, { LocalSocket: clamd.socketPath, User: "nobody", ...directives });
  return path;
}

describe("black-hole mode is refused with status 78", () => {
  test("for Postfix's program, which is not asked anything that it could take for mail", async () => {
    const words = partCommand(cachedPart("postfix"), "usr/sbin/sendmail", []).map((word) => `'${word}'`);
    const program = file("postfix", `#!/bin/sh\nexec ${words.join(" ")} "$@"\n`, 0o755);
    const { exitCode, stderr } = await start(["--black-hole-mode", "--sendmail-bin", program]);
    expect(exitCode).toBe(78);
    expect(stderr).toContain(
      `--black-hole-mode: ${program} is not Sendmail's: it says "sendmail: invalid option`,
    );
  }, 30_000);

  test("for no program, and for one that does not trust the user", async () => {
    const missing = await start(["--black-hole-mode", "--sendmail-bin", at("none")]);
    expect([missing.exitCode, missing.stderr]).toEqual([
      78,
      expect.stringContaining("cannot ask sendmail") as string,
    ]);
    const program = sendmail("untrusting", "Version 8.17.1", 77);
    const untrusted = await start(["--black-hole-mode", "--sendmail-bin", program]);
    expect(untrusted.exitCode).toBe(78);
    expect(untrusted.stderr).toContain(
      "sendmail does not trust this user (sendmail -bv ended with status 77)",
    );
  }, 30_000);

  test("without supplementary groups, and for a queue that the user cannot read", async () => {
    const program = sendmail("good", "Version 8.17.1", 67);
    const common = ["--black-hole-mode", "--sendmail-bin", program];
    const groups = await start(common, confFor({ AllowSupplementaryGroups: "no" }));
    expect(groups.exitCode).toBe(78);
    expect(groups.stderr).toContain("--black-hole-mode: needs AllowSupplementaryGroups yes in ");
    mkdirSync(at("mqueue"), { mode: 0o700 });
    const cf = file("sendmail.cf", `O QueueDirectory=${at("mqueue")}\n`);
    const queue = await start([...common, "--sendmail-cf", cf], confFor({}));
    expect(queue.exitCode).toBe(78);
    expect(queue.stderr).toContain(
      `--black-hole-mode: this user cannot read the mail queue ${at("mqueue")}: EACCES`,
    );
  }, 30_000);
});

test("a whitelist that only root can read is refused before mail is accepted", async () => {
  const list = file("secret", "<a@b>\n", 0o600);
  const { exitCode, stderr } = await start(["-W", list], confFor({}));
  expect(exitCode).toBe(78);
  expect(stderr).toContain(`--whitelist-file: cannot read ${list}: EACCES`);
}, 30_000);

describe("the whitelist", () => {
  test("counts from the first message on, and is read again when it changes and on HUP; errors have file and line", async () => {
    const list = file("list", `From: <one@a.example>\nnonsense and more\n${"# filler\n".repeat(10)}`);
    const unix = at("milter.sock");
    const options = { conf: clamd.confPath, sockets: [`unix:${unix}`], options: ["-q", "-W", list] };
    const filter = await startFilter(options);
    const answers = async (sender: string): Promise<string> => {
      const { stage, answer } = await judge({ unix }, { family: "inet", address: "192.0.2.1", sender });
      return `${stage} ${answer}`;
    };
    const both = async (sender: string, expected: string): Promise<void> => {
      let alike = 0;
      await until(
        async () => {
          alike = (await answers(sender)) === expected ? alike + 1 : 0;
          return alike > 8;
        },
        { what: `${expected} for ${sender}`, detail: filter.log },
      );
    };
    try {
      for (let time = 0; time < 8; time++) expect(await answers("<ONE@a.example>")).toBe("mail accept");
      await filter.logLine(new RegExp(`ERROR: ${list}:2: expected one address`));
      file("list", "From: <two@a.example>\n");
      await both("<two@a.example>", "mail accept");
      await both("<one@a.example>", "endOfBody scanned");
      await filter.logLine(/list: whitelist read again: 1 senders, 0 recipients$/);
      const asked = performance.now();
      file("list", "From: <three@a.example>\n");
      filter.signal("SIGHUP");
      await both("<three@a.example>", "mail accept");
      expect(performance.now() - asked).toBeLessThan(1900);
      rmSync(list);
      await filter.logLine(/ERROR: \S+list: the whitelist stays as it was: there is no such file$/);
      expect(await answers("<three@a.example>")).toBe("mail accept");
    } finally {
      await filter.stop();
    }
  }, 40_000);

  test("of thousands of addresses reaches every child whole", async () => {
    const addresses = Array.from(
      { length: 20_000 },
      (_, at) => `From: <user${at}@somewhere.in.a.long.domain.example>`,
    );
    const unix = at("long.sock");
    const filter = await startFilter({
      conf: clamd.confPath,
      sockets: [`unix:${unix}`],
      options: ["-q", "-W", file("long", addresses.join("\n"))],
    });
    try {
      for (let number = 0; number < 20_000; number += 1333) {
        const sender = `<user${number}@somewhere.in.a.long.domain.example>`;
        expect((await judge({ unix }, { family: "inet", address: "192.0.2.1", sender })).answer).toBe(
          "accept",
        );
      }
      expect(filter.log()).not.toContain("ERROR");
    } finally {
      await filter.stop();
    }
  }, 40_000);
});

test("in a jail, as another user: whitelist and blacklist are handed in", async () => {
  mkdirSync(at("jail"));
  mkdirSync(at("run"));
  chownSync(at("run"), NOBODY, NOBODY);
  const unix = at("run/milter.sock");
  const list = file("jailed-list", "From: <friend@a.example>\n");
  const options = ["-q", "-C", at("jail"), "-W", list, "-k", "600"];
  const filter = await startFilter({ conf: confFor({}), sockets: [`unix:${unix}`], options });
  try {
    const mail = { family: "inet", address: "192.0.2.1" } as const;
    expect(await judge({ unix }, { ...mail, sender: "<friend@a.example>" })).toMatchObject({
      answer: "accept",
    });
    expect((await judge({ unix }, { ...mail, body: eicar() })).answer).toStartWith("554 5.7.1 virus ");
    await until(async () => (await judge({ unix }, mail)).stage === "mail", {
      what: "the host to be refused",
    });
    expect(filter.log()).not.toContain("ERROR");
  } finally {
    await filter.stop();
  }
}, 40_000);
