import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { run } from "./process.ts";

/** The header of a container takes so many bytes, filled up with blanks. */
const HEADER = 512;
/** Oldest libclamav that may use it. */
const LEVEL = 80;

/** What a container's header tells. */
export interface ContainerPlan {
  readonly version: number;
  /** Seconds since 1970. */
  readonly built: number;
  readonly signatures: number;
}

/**
 * Makes a container of one signature file, `daily.ndb`, as `sigtool --build=daily.cud --unsigned` does. Only the
 * ClamAV project can sign one, and libclamav takes an unsigned one under the name `.cud` alone.
 * @param signatures path of the signature file
 */
export async function databaseContainer(signatures: string, plan: ContainerPlan): Promise<Buffer> {
  const folder = `${signatures}.container`;
  mkdirSync(folder);
  try {
    const content = readFileSync(signatures);
    const sum = createHash("sha256").update(content).digest("hex");
    writeFileSync(join(folder, "COPYING"), "free\n");
    writeFileSync(join(folder, "daily.ndb"), content);
    writeFileSync(
      join(folder, "daily.info"),
      `${headOf(plan, "X", "X")}\ndaily.ndb:${content.length}:${sum}\n`,
    );
    const archive = join(folder, "archive");
    const names = ["COPYING", "daily.info", "daily.ndb"];
    const argv = ["tar", "--format=ustar", "-C", folder, "-czf", archive, ...names];
    const { exitCode, stderr } = await run({ argv, deadline: 5000 });
    if (exitCode !== 0) throw new Error(`tar has failed: ${stderr}`);
    const packed = readFileSync(archive);
    const md5 = createHash("md5").update(packed).digest("hex");
    return Buffer.concat([Buffer.from(headOf(plan, md5, "X").padEnd(HEADER)), packed]);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** `ClamAV-VDB:time:version:signatures:level:md5:signature:builder:seconds` */
function headOf({ version, built, signatures }: ContainerPlan, md5: string, signature: string): string {
  const [, day, month, year, time = ""] = new Date(built * 1000).toUTCString().split(" ");
  const text = `${day} ${month} ${year} ${time.slice(0, 5).replace(":", "-")} +0000`;
  return ["ClamAV-VDB", text, version, signatures, LEVEL, md5, signature, "lab", built].join(":");
}
