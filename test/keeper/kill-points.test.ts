import { expect, test } from "bun:test";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const SCRIPT = join(import.meta.dir, "store-process.ts");
/** More than any of the stores has. */
const MOST_STEPS = 60;

async function run(kind: string, folder: string, step: number): Promise<boolean> {
  const child = Bun.spawn([process.execPath, SCRIPT, kind, folder, String(step)], {
    stdout: "pipe",
    stderr: "inherit",
    stdin: "ignore",
  });
  const [, status] = await Promise.all([new Response(child.stdout).text(), child.exited]);
  if (child.signalCode !== null) return false;
  expect(status).toBe(0);
  return true;
}

/** Kills a process at each of its steps in turn; answers how many steps there were. */
async function atEveryStep(
  kind: string,
  look: (folder: string, killed: boolean) => Promise<void>,
): Promise<number> {
  for (let step = 0; step < MOST_STEPS; step++) {
    const folder = mkdtempSync(join(tmpdir(), "kill-points-"));
    try {
      const whole = await run(kind, folder, step);
      await look(folder, !whole);
      if (whole) return step;
    } finally {
      rmSync(folder, { recursive: true });
    }
  }
  throw new Error("more steps than expected");
}

test("a quarantined message is whole, with its description, or absent", async () => {
  let kept = 0;
  const steps = await atEveryStep("quarantine", async (folder, killed) => {
    const day = join(folder, "261122");
    const names = existsSync(day) ? readdirSync(day).filter((name) => !name.startsWith(".")) : [];
    if (!killed) expect(names.toSorted()).toEqual(["4AM1.Eicar", "4AM1.Eicar.json"]);
    if (!names.includes("4AM1.Eicar")) return;
    kept++;
    expect(readFileSync(join(day, "4AM1.Eicar"), "latin1")).toBe("one\r\ntwo\r\n");
    expect(JSON.parse(readFileSync(join(day, "4AM1.Eicar.json"), "utf8"))).toEqual({ sender: "<a@b>" });
  });
  expect(steps).toBeGreaterThan(10);
  expect(kept).toBeGreaterThan(1);
}, 60_000);

test("a notice of an answered message is sent at least once, whenever the process is killed", async () => {
  const steps = await atEveryStep("add", async (folder) => {
    const answered = existsSync(join(folder, "answered"));
    // What follows a killed process: another that opens the same outbox.
    expect(await run("resume", folder, MOST_STEPS)).toBe(true);
    const sent = existsSync(join(folder, "sent")) ? readFileSync(join(folder, "sent"), "latin1").length : 0;
    if (answered) expect(sent).toBeGreaterThan(0);
    expect(sent).toBeLessThanOrEqual(2);
    expect(readdirSync(join(folder, "outbox"))).toEqual([]);
  });
  expect(steps).toBeGreaterThan(6);
}, 60_000);
