import { afterAll, beforeAll, expect, test } from "bun:test";
import { chmodSync, existsSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type FakeClamd, startFakeClamd } from "../fakes/clamd.ts";
import { plainFolder } from "../lab/folder.ts";
import { shiftedClock } from "../lab/shifted-clock.ts";
import { until } from "../lab/wait.ts";
import { handOver, noticePlace, toldBy } from "./notices-place.ts";

const folder = plainFolder();
const clamdSocket = join(folder.path, "clamd.sock");
let clamd: FakeClamd;

beforeAll(() => {
  clamd = startFakeClamd(clamdSocket, () => ({ say: "stream: Eicar-Test FOUND" }));
});

afterAll(() => {
  clamd.stop();
  folder.remove();
});

/** Every status of sysexits.h. */
const STATUSES = Array.from({ length: 15 }, (_, at) => 64 + at);
/** EX_DATAERR, EX_NOUSER, EX_NOHOST: no other time will be better. */
const HOPELESS = [65, 67, 68];
/** A deadline for what other processes take ten seconds to notice. */
const PATIENCE = 60_000;

/**
 * A mail program that fails as the last recipient's name says: `status-75`, `signal-9`, `hang`. Once `well` is there
 * it only fails for names that end with `for-ever`.
 */
function troubledSendmail(home: string, sound: string): { path: string; tries(name: string): number } {
  const path = join(home, "troubled-sendmail");
  const journal = join(home, "tries");
  const script = [
    "#!/bin/sh",
    "for last; do :; done",
    `name=\${last%@*}`,
    `echo "$name" >>${journal}`,
    `if [ -f ${home}/well ]; then case $name in *-for-ever) ;; *) exec ${sound} "$@";; esac; fi`,
    `number=\${name#*-}`,
    `number=\${number%%-*}`,
    "case $name in",
    'status-*) echo "told to" >&2; exit "$number";;',
    'signal-*) kill -"$number" $$;;',
    "hang) exec sleep 600;;",
    `*) exec ${sound} "$@";;`,
    "esac",
  ];
  writeFileSync(path, `${script.join("\n")}\n`);
  chmodSync(path, 0o755);
  const lines = (): string[] => (existsSync(journal) ? readFileSync(journal, "latin1").split("\n") : []);
  return { path, tries: (name) => lines().filter((each) => each === name).length };
}

test("a mail program that is missing, fails, dies and hangs: nothing is lost", async () => {
  const { home, socket, start, sendmail, instance } = noticePlace(folder.path, clamdSocket);
  const clock = shiftedClock(home);
  const { path, tries } = troubledSendmail(home, sendmail.path);
  const options = ["-p", "virus@lab.example", `--sendmail-bin=${path}`];
  const failing = STATUSES.map((status) => `status-${status}`).concat("signal-9", "signal-15");
  const hopeless = HOPELESS.map((status) => `status-${status}`);
  const temporary = failing.filter((name) => !hopeless.includes(name));
  const lost = "status-75-for-ever";
  const infect = async (name: string): Promise<void> => {
    const mail = { queueId: `Q-${name}`, recipients: [`<${name}@lab.example>`] };
    expect(await handOver(socket, mail)).toStartWith("554 5.7.1 virus Eicar-Test");
  };
  const files = (kind: "outbox" | "failed"): string[] => readdirSync(join(instance(), kind));
  const told = (names: readonly string[]): boolean => {
    const all = toldBy(sendmail);
    return names.every((name) => all.has(`${name}@lab.example`));
  };
  const waiting = (name: string, why: string): RegExp =>
    new RegExp(`WARNING: notice about Q-${name} waits to be sent again: \\S+ ${why}`);
  let filter = await start(options, clock.wrapper);
  try {
    renameSync(path, `${path}.away`);
    await infect("missing");
    await filter.logLine(waiting("missing", "cannot be started: .*ENOENT"));
    renameSync(`${path}.away`, path);
    await Promise.all([...failing, "hang", lost, "well"].map(infect));

    // One that hangs holds up nobody.
    for (const status of STATUSES) {
      const words = `ended with status ${status}: told to`;
      const name = `status-${status}`;
      await filter.logLine(
        HOPELESS.includes(status)
          ? new RegExp(
              `ERROR: notice about Q-${name} was not sent and is now \\S+/failed/\\S+: \\S+ ${words}`,
            )
          : waiting(name, words),
      );
    }
    await filter.logLine(waiting("signal-9", "was ended by SIGKILL"));
    await filter.logLine(waiting("signal-15", "was ended by SIGTERM"));
    await until(() => told(["well"]), { what: "the notice that nothing is wrong with" });
    expect(files("failed").length).toBe(HOPELESS.length);
    expect(tries("hang")).toBe(1);

    // Two minutes later the one that hangs is ended, and the others have had their pause.
    writeFileSync(join(home, "well"), "");
    clock.set(130);
    await filter.logLine(waiting("hang", "was ended after 120 s, for it hung"), PATIENCE);
    await until(() => told([...temporary, "missing"]), {
      ...{ deadline: PATIENCE, what: "what waited", detail: filter.log },
    });
    await until(() => files("outbox").length === 2, { what: "two that wait", detail: filter.log });
    await until(() => tries(lost) > 1, { what: "another try", deadline: PATIENCE, detail: filter.log });

    // A day later what could not be sent is given up, and the rest was not forgotten.
    await filter.stop();
    clock.set(25 * 3600);
    filter = await start(options, clock.wrapper);
    await filter.logLine(new RegExp(`ERROR: notice about Q-${lost} was not sent and is now \\S+/failed/`));
    await until(() => told(["hang"]), { what: "the notice that hung", detail: filter.log });
    await until(() => files("outbox").length === 0, { what: "an empty outbox", detail: filter.log });
    const given = files("failed").map((name) => readFileSync(join(instance(), "failed", name), "utf8"));
    expect(given.length).toBe(HOPELESS.length + 1);
    for (const name of [...hopeless, lost]) {
      const mails = given.filter((text) => text.includes(`"${name}@lab.example"`));
      expect(mails).toEqual([expect.stringContaining("\nSubject: Infected mail refused: Eicar-Test\n")]);
      expect(tries(name)).toBe(name === lost ? tries(lost) : 1);
    }
  } finally {
    await filter.stop();
  }
}, 120_000);
