import { afterAll, expect, test } from "bun:test";
import { mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { cachedPart, partCommand } from "../../scripts/debian/parts.ts";
import { MtaConnexion } from "../../scripts/load/mta-connexion.ts";
import { type Clamd, startClamd, writeDirectives } from "../lab/clamd.ts";
import { databaseContainer } from "../lab/database-container.ts";
import { BINARY } from "../lab/filter.ts";
import { mail } from "../lab/mail.ts";
import { run } from "../lab/process.ts";
import { until } from "../lab/wait.ts";
import { asMtaMail, internalLab } from "./engine-lab.ts";

const PATIENCE = 60_000;
const SIGNATURES = 3;
/** Yesterday: libclamav warns of what is a week old. */
const BUILT = Math.floor(Date.now() / 1000) - 86_400;

const lab = internalLab();
let clamd: Clamd | undefined;

afterAll(() => clamd?.stop());

async function scannedWith(socket: string): Promise<string> {
  const mta = await MtaConnexion.open({ unix: socket });
  try {
    await mta.negotiate();
    await mta.greet();
    const { modifications } = await mta.mail(asMtaMail(mail()));
    const added = modifications.find((each) => "name" in each && each.name === "X-Virus-Scanned");
    return added !== undefined && "value" in added ? added.value.trim() : "";
  } finally {
    mta.quit();
  }
}

/** In place of what was there before, in one step. */
async function putContainer(database: string, version: number): Promise<Buffer> {
  const plan = { version, built: BUILT + version, signatures: SIGNATURES };
  const bytes = await databaseContainer(join(database, "lab.ndb"), plan);
  writeFileSync(join(database, ".new"), bytes);
  renameSync(join(database, ".new"), join(database, "daily.cud"));
  return bytes;
}

test(
  "a database container's version and date are told as clamd tells them",
  async () => {
    const internal = await lab.started();
    const { database } = internal;
    for (const version of [27338, 27339]) {
      const bytes = await putContainer(database, version);
      internal.filter.signal("SIGUSR2");
      await internal.filter.logLine(new RegExp(`virus database loaded: .*/${version}/`));
      clamd = await startClamd({ folder: lab.folder.path, name: `clamd${version}`, database });
      const told = await clamd.ask("VERSION");
      await clamd.stop();
      expect(told).toMatch(
        new RegExp(`^ClamAV \\d+\\.\\d+\\.\\d+/${version}/\\w+ \\w+ +\\d+ [0-9:]{8} \\d{4}$`),
      );
      await until(() => internal.engines().length === 1, { what: "the engine before it to be gone" });
      const header = `ClamAV version ${told.slice(7)}, clamav-milter version `;
      // By several children.
      for (let at = 0; at < 8; at++) expect(await scannedWith(internal.socket)).toStartWith(header);
      if (version === 27338) continue;
      // The same without a signature that libclamav would believe.
      writeFileSync(join(database, "daily.cvd"), bytes);
      internal.filter.signal("SIGUSR2");
      await internal.filter.logLine(/the virus database stays as it was: .*daily\.cvd/);
      expect(await scannedWith(internal.socket)).toStartWith(header);
    }
    expect(await internal.filter.stop()).toBe(0);
  },
  PATIENCE,
);

test(
  "-V tells the database by its header, as clamd -V does",
  async () => {
    const database = join(lab.folder.path, "headers");
    mkdirSync(database);
    writeFileSync(join(database, "lab.ndb"), "A.B:0:*:61626364656667\n");
    const conf = join(lab.folder.path, "headers.conf");
    writeDirectives(conf, { DatabaseDirectory: database });
    const env = { LD_LIBRARY_PATH: cachedPart("clamav").libraryPath };
    const ours = async (): Promise<string[]> =>
      (await run({ argv: [BINARY, "-c", conf, "-V"], env, deadline: 10_000 })).stdout.trim().split("\n");
    const theirs = async (): Promise<string> => {
      const argv = partCommand(cachedPart("clamav"), "usr/sbin/clamd", ["--config-file", conf, "-V"]);
      return (await run({ argv, deadline: 10_000 })).stdout.trim();
    };
    const told = [await ours()];
    expect(told[0]?.[1]).toMatch(/^ClamAV \d+\.\d+\.\d+$/);
    expect(told[0]?.[1]).toBe(await theirs());
    for (const name of ["daily.cld", "daily.cvd"]) {
      const version = name === "daily.cld" ? 27340 : 27341;
      const bytes = await putContainer(database, version);
      rmSync(join(database, "daily.cud"));
      writeFileSync(join(database, name), bytes);
      const [program, engine] = await ours();
      expect(program).toStartWith("clamav-milter version ");
      expect(engine).toContain(`/${version}/`);
      expect(engine).toBe(await theirs());
    }
  },
  PATIENCE,
);
