import { afterEach, expect, test } from "bun:test";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Quarantine } from "../../src/keeper/quarantine.ts";

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

function lab() {
  const folder = mkdtempSync(join(tmpdir(), "quarantine-"));
  folders.push(folder);
  return { folder, quarantine: new Quarantine(folder, () => new Date(2026, 0, 2, 3, 4)) };
}

const message = () => [Buffer.from("Subject: x\r\n\r\n"), Buffer.from("body\xff", "latin1")];

test("a message and its description, by day, for us alone", async () => {
  const { folder, quarantine } = lab();
  const path = await quarantine.keep("4AM1", "Eicar-Test", message, { a: 1 });
  expect(path).toBe(join(folder, "260102", "4AM1.Eicar-Test"));
  expect(readFileSync(path, "latin1")).toBe("Subject: x\r\n\r\nbody\xff");
  expect(JSON.parse(readFileSync(`${path}.json`, "utf8"))).toEqual({ a: 1 });
  expect([path, `${path}.json`].map((each) => statSync(each).mode & 0o777)).toEqual([0o600, 0o600]);
  expect(statSync(join(folder, "260102")).mode & 0o777).toBe(0o700);
});

test("nothing is ever overwritten", async () => {
  const { quarantine } = lab();
  const paths = await Promise.all(
    Array.from({ length: 20 }, (_, at) => quarantine.keep("Q", "V", message, { at })),
  );
  expect(new Set(paths).size).toBe(20);
  const told = paths.map((path) => JSON.parse(readFileSync(`${path}.json`, "utf8")).at);
  expect(told).toEqual(Array.from({ length: 20 }, (_, at) => at));
});

for (const [id, name, file] of [
  ["../../etc/passwd", "a/b", "__.._etc_passwd.a_b"],
  ["", "", "Unknown.Unknown"],
  [".hidden", "-rf", "_hidden._rf"],
  ["4AM\n\x1b[2J", "$(id)`x`\u202e", "4AM_2J._id_x_"],
  ["x".repeat(5000), "y".repeat(5000), `${"x".repeat(60)}.${"y".repeat(120)}`],
] as const) {
  test(`a name that leads nowhere: ${JSON.stringify(id.slice(0, 20))}`, async () => {
    const { folder, quarantine } = lab();
    const path = await quarantine.keep(id, name, message, {});
    expect(path.slice(folder.length)).toBe(`/260102/${file}`);
  });
}

test("what was left unfinished on any day goes, but not what somebody may be writing", async () => {
  const { folder, quarantine } = lab();
  const now = new Date(2026, 0, 2, 3, 4).getTime() / 1000;
  for (const [day, name, age] of [
    ["251231", ".unfinished-old", 86_400],
    ["251231", "4AM1.Eicar", 86_400],
    ["260102", ".unfinished-recent", 5],
    ["260102", ".unfinished-left", 1000],
    ["other", ".unfinished-theirs", 86_400],
  ] as const) {
    mkdirSync(join(folder, day), { recursive: true });
    writeFileSync(join(folder, day, name), "half");
    utimesSync(join(folder, day, name), now - age, now - age);
  }
  writeFileSync(join(folder, "251230"), "no folder");
  await quarantine.clean();
  expect(readdirSync(join(folder, "251231"))).toEqual(["4AM1.Eicar"]);
  expect(readdirSync(join(folder, "260102"))).toEqual([".unfinished-recent"]);
  expect(readdirSync(join(folder, "other"))).toEqual([".unfinished-theirs"]);
});

test("a message that cannot be read leaves nothing behind", async () => {
  const { folder, quarantine } = lab();
  async function* broken(): AsyncGenerator<Uint8Array> {
    yield Buffer.from("half");
    throw Object.assign(new Error("ENOSPC: no space left on device"), { code: "ENOSPC" });
  }
  expect(quarantine.keep("Q", "V", broken, {})).rejects.toMatchObject({ code: "ENOSPC" });
  await quarantine.keep("Other", "V", message, {});
  expect(readdirSync(join(folder, "260102")).toSorted()).toEqual(["Other.V", "Other.V.json"]);
});
