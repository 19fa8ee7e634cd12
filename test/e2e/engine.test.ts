import { expect, test } from "bun:test";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { MtaConnexion } from "../../scripts/load/mta-connexion.ts";
import { eicarAttachment } from "../lab/eicar.ts";
import { mail } from "../lab/mail.ts";
import { run } from "../lab/process.ts";
import { until } from "../lab/wait.ts";
import {
  asMtaMail,
  EICAR_LINE,
  type InternalFilter,
  internalLab,
  putDatabase,
  rolesOf,
  signature,
} from "./engine-lab.ts";

const PATIENCE = 60_000;
/** MTA connexions of the traffic. */
const CONNEXIONS = 4;
const ALL_RIGHT = { wrong: [], lost: 0 };
const EICAR_MAIL = mail({ attachments: [eicarAttachment()] });

const lab = internalLab();

function linesOf(internal: InternalFilter, pattern: RegExp): string[] {
  return internal.filter
    .log()
    .split("\n")
    .filter((line) => pattern.test(line));
}

function loads(internal: InternalFilter): number {
  return linesOf(internal, /virus database loaded/).length;
}

test(
  "without --external the program scans itself, and says with what",
  async () => {
    const internal = await lab.started();
    const mta = await MtaConnexion.open({ unix: internal.socket });
    await mta.negotiate();
    await mta.greet();
    const clean = await mta.mail(asMtaMail(mail()));
    expect(clean.verdict.kind).toBe("accept");
    const added = clean.modifications.map((each) => ("value" in each ? `${each.name}:${each.value}` : ""));
    expect(added[0]).toMatch(/^X-Virus-Scanned: ?ClamAV version \d+\.\d+\.\d+, clamav-milter version /);
    expect(added[1]).toMatch(/^X-Virus-Status: ?Clean$/);
    const found = await mta.mail(asMtaMail(EICAR_MAIL));
    expect(found.verdict).toMatchObject({ kind: "replyCode" });
    expect(JSON.stringify(found.verdict)).toContain(
      "virus Eicar-Test-Signature.UNOFFICIAL detected by ClamAV",
    );
    mta.quit();
    await lab.stopped(internal);
  },
  PATIENCE,
);

interface Holding {
  /** Mebibytes that the process has to itself, or its share of. */
  readonly memory: number;
  readonly descriptors: number;
}

function holdingOf(pid: number): Holding {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, "latin1");
  return {
    memory: Number(/^Pss: +(\d+) kB$/m.exec(rollup)?.[1]) / 1024,
    descriptors: readdirSync(`/proc/${pid}/fd`).length,
  };
}

/** What the engine and the supervisor hold when they have had some work. */
async function holdings(internal: InternalFilter): Promise<{ engine: Holding; supervisor: Holding }> {
  expect(await internal.traffic(4, 50)).toMatchObject(ALL_RIGHT);
  return { engine: holdingOf(internal.engines()[0] ?? 0), supervisor: holdingOf(internal.filter.pid) };
}

test(
  "20 new databases under load: each takes over, no message notices, and nothing piles up",
  async () => {
    const internal = await lab.started({}, ["-M", "300"]);
    const before = await holdings(internal);
    let going = true;
    const tallies: unknown[] = [];
    const load = (async () => {
      while (going) {
        const { wrong, lost } = await internal.traffic(CONNEXIONS, 50);
        tallies.push({ wrong, lost });
      }
    })();
    for (let update = 1; update <= 20; update++) {
      putDatabase(
        internal.database,
        `new${update}.ndb`,
        signature(`New.${update}`, `new-marker-${update}-q8Zt`),
      );
      internal.filter.signal("SIGUSR2");
      await until(() => loads(internal) > update, {
        what: `database ${update}`,
        detail: internal.filter.log,
      });
    }
    going = false;
    await load;
    expect(tallies.length).toBeGreaterThan(1);
    expect(new Set(tallies.map((tally) => JSON.stringify(tally)))).toEqual(
      new Set([JSON.stringify(ALL_RIGHT)]),
    );
    await until(async () => (await internal.send(mail({ body: "x new-marker-20-q8Zt y" }))) === "replyCode", {
      what: "the last signature to be found",
    });
    await until(() => internal.engines().length === 1, { what: "the old engines to be gone" });
    // Each child keeps the sessions of its mail for a minute, and which of them gets how many of it is chance.
    const few = before.engine.descriptors + CONNEXIONS * rolesOf(internal.filter, "child").length;
    const after = await until(
      async () => {
        const now = await holdings(internal);
        return now.engine.descriptors <= few && now;
      },
      { what: `an engine with ${few} descriptors at most` },
    );
    expect(after.engine.memory).toBeLessThan(before.engine.memory * 1.3 + 8);
    expect(after.supervisor.memory).toBeLessThan(before.supervisor.memory + 16);
    expect(after.supervisor.descriptors).toBeLessThanOrEqual(before.supervisor.descriptors);
    await lab.stopped(internal);
  },
  PATIENCE,
);

test(
  "the directory is watched; a broken database is told once, and the old one stays",
  async () => {
    const internal = await lab.started({}, ["-M", "1"]);
    putDatabase(internal.database, "broken.ndb", "this is: no: signature\n");
    await internal.filter.logLine(/the virus database stays as it was: .*broken\.ndb/);
    expect(await internal.send(EICAR_MAIL)).toBe("replyCode");
    putDatabase(internal.database, "broken.ndb", EICAR_LINE.slice(0, 40));
    await until(() => linesOf(internal, /stays as it was/).length === 2, {
      what: "the truncated file to be told",
    });
    writeFileSync(join(internal.database, "broken.cvd"), "ClamAV-VDB:garbage");
    putDatabase(internal.database, "broken.ndb", signature("Mended", "mended-marker-5kQ"));
    await until(() => linesOf(internal, /stays as it was/).length === 3, { what: "the garbage to be told" });
    expect(await internal.send(mail({ body: "mended-marker-5kQ" }))).toBe("accept Clean");
    await run({ argv: ["rm", join(internal.database, "broken.cvd")], deadline: 5000 });
    internal.filter.signal("SIGUSR2");
    await until(() => loads(internal) === 2, { what: "the sound database", detail: internal.filter.log });
    await until(async () => (await internal.send(mail({ body: "mended-marker-5kQ" }))) === "replyCode", {
      what: "the new signature to be found",
    });
    putDatabase(internal.database, "lab.ndb", signature("Only.This", "only-this-8Wx"));
    await internal.filter.logLine(/stays as it was: it does not find the test virus/);
    expect(await internal.send(EICAR_MAIL)).toBe("replyCode");
    await lab.stopped(internal);
  },
  PATIENCE,
);

test(
  "an engine that is killed while it loads a new database: another loads it soon, without a further change",
  async () => {
    // A list this long takes a while to be read.
    const internal = await lab.started({}, ["-M", "300"]);
    const many = Array.from({ length: 60_000 }, (_, at) => signature(`Many.${at}`, `many-${at}-w4Kd`)).join(
      "",
    );
    putDatabase(internal.database, "many.ndb", many + signature("Last.One", "last-marker-7Gk"));
    for (let death = 1; death <= 2; death++) {
      const [serving] = internal.engines();
      if (death === 1) internal.filter.signal("SIGUSR2");
      const loading = await until(() => internal.engines().find((pid) => pid !== serving), {
        what: "an engine that loads",
      });
      process.kill(loading, "SIGKILL");
      await until(
        () => linesOf(internal, /stays as it was: engine \d+ was killed by SIGKILL/).length === death,
        {
          what: "the death to be told",
          detail: internal.filter.log,
        },
      );
      expect(await internal.send(EICAR_MAIL)).toBe("replyCode");
      expect(internal.engines()).toContain(serving ?? 0);
    }
    await until(() => loads(internal) === 2, { what: "the new database", detail: internal.filter.log });
    expect(await internal.send(mail({ body: "last-marker-7Gk" }))).toBe("replyCode");
    expect(linesOf(internal, /the virus database is loaded anew/).length).toBe(1);
    await lab.stopped(internal);
  },
  PATIENCE,
);

test(
  "an engine that is killed, crashes or is stopped under load costs less than 2 s, and no verdict",
  async () => {
    const internal = await lab.started();
    for (const signal of ["SIGKILL", "SIGSEGV", "SIGSTOP"] as const) {
      const before = loads(internal);
      let verdictAt = performance.now();
      let silence = 0;
      const load = internal.traffic(4, 200, () => {
        const now = performance.now();
        silence = Math.max(silence, now - verdictAt);
        verdictAt = now;
      });
      await until(() => silence > 0, { what: "the load to begin" });
      silence = 0;
      const [engine] = internal.engines();
      expect(engine).toBeDefined();
      process.kill(engine ?? 0, signal);
      const { wrong, lost } = await load;
      expect({ wrong, lost }).toEqual(ALL_RIGHT);
      expect(loads(internal)).toBe(before + 1);
      // Far from it on a machine that has time; the tests run beside each other.
      expect(silence).toBeLessThan(4000);
    }
    expect(internal.filter.log()).toMatch(/engine \d+ was stopped by a signal: killed/);
    await lab.stopped(internal);
  },
  PATIENCE,
);

test(
  "no verdict is Clean while the temporary directory is gone, full or read-only",
  async () => {
    const place = join(lab.folder.path, "small");
    mkdirSync(place);
    const setup = 'mount -t tmpfs -o size=8m none "$1" && shift && exec "$@"';
    const wrapper = ["unshare", "--mount", "--", "sh", "-c", setup, "sh", place];
    const internal = await lab.started({ TemporaryDirectory: place }, [], wrapper);
    // The shell has become the filter: its view of the file system is to be had by its number.
    const inside = (path = ""): string => join(`/proc/${internal.filter.pid}/root`, place, path);
    expect(await internal.send(mail())).toBe("accept Clean");
    await run({ argv: ["dd", "if=/dev/zero", `of=${inside("fill")}`, "bs=1M"], deadline: 5000 });
    expect(await internal.send(mail())).toStartWith("tempfail");
    expect(await internal.send(EICAR_MAIL)).not.toStartWith("accept");
    await internal.filter.logLine(/temporary directory is unusable: .*(full|free|ENOSPC)/);
    await run({ argv: ["rm", inside("fill")], deadline: 5000 });
    expect(await internal.send(mail())).toBe("accept Clean");
    await run({ argv: ["sh", "-c", `rm -r ${inside()}/clamav-milter-engine.*`], deadline: 5000 });
    expect(await internal.send(EICAR_MAIL)).not.toStartWith("accept");
    await until(async () => (await internal.send(mail())) === "accept Clean", { what: "a new directory" });
    const inMounts = (script: string) =>
      run({
        argv: ["nsenter", `--mount=/proc/${internal.filter.pid}/ns/mnt`, "sh", "-ec", script, "sh", place],
        deadline: 5000,
      });
    // Over itself, since the kernel keeps a file system writable that has files open for it.
    const over = 'cd "$1"/clamav-milter-engine.*; mount --bind . .; mount -o remount,bind,ro "$PWD"';
    expect((await inMounts(over)).exitCode).toBe(0);
    expect(await internal.send(mail())).toStartWith("tempfail");
    expect((await inMounts('umount "$1"/clamav-milter-engine.*')).exitCode).toBe(0);
    await until(async () => (await internal.send(EICAR_MAIL)) === "replyCode", { what: "scans again" });
    await lab.stopped(internal);
  },
  PATIENCE,
);
