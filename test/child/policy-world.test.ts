import { expect, test } from "bun:test";
import { PolicyTables } from "../../src/child/policy-tables.ts";
import { makePolicyWorld } from "../../src/child/policy-world.ts";
import { needsOf } from "../../src/child/wanted.ts";
import { parseClamdConf } from "../../src/config/clamd-conf.ts";
import { resolveSettings } from "../../src/config/settings.ts";
import type { FromRole } from "../../src/ipc/messages.ts";
import { command } from "../config/command.ts";

function world(
  options: string,
  leadsToNull: (address: string) => Promise<boolean> = () => Promise.resolve(true),
) {
  const conf = parseClamdConf("LocalSocket /run/clamd.ctl\n", "/etc/clamd.conf");
  const settings = resolveSettings(command(`-e ${options} /s`.replaceAll(/ +/g, " ")), conf, {
    uid: 1,
    tmpdir: undefined,
    cwd: "/home/me",
  });
  const tables = new PolicyTables(() => 0);
  const sent: FromRole[] = [];
  const links = {
    keeper: { leadsToNull },
    tables,
    end: { send: (message: FromRole) => void sent.push(message) },
  };
  return { settings, tables, sent, make: () => makePolicyWorld(settings, "mail.example.org", links) };
}

test("the quarantine address is always listed, as sender and as recipient", () => {
  const { make, tables } = world("-Q Virus@Example.org -W list");
  const portion = { from: ["a@b"], to: ["c@d"], first: true, last: true };
  tables.takeWhitelist({ type: "whitelist", ...portion });
  const { rules, whitelists } = make();
  expect([[...rules.whitelist.from], [...rules.whitelist.to], whitelists]).toEqual([
    ["a@b", "virus@example.org"],
    ["c@d", "virus@example.org"],
    true,
  ]);
  expect(world("").make().rules.whitelist).toEqual({ from: new Set(), to: new Set() });
});

test("files are meant from where the command was given", () => {
  expect(world("-W lists/white").settings.whitelistFile).toBe("/home/me/lists/white");
  expect(world("-W /etc/white").settings.whitelistFile).toBe("/etc/white");
});

test("what each option needs of the MTA", () => {
  const needs = (options: string): string =>
    Object.entries(needsOf(world(options).make(), false, false))
      .filter(([, needed]) => needed)
      .map(([name]) => name)
      .join(" ");
  expect(needs("")).toBe("answerRcpt");
  expect(needs("--dont-sanitise")).toBe("");
  expect(needs("--dont-sanitise -k 60")).toBe("answerMail");
  expect(needs("--dont-sanitise --skip-authenticated")).toBe("answerMail");
  expect(needs("--dont-sanitise -W x")).toBe("answerMail answerEndOfHeaders");
  expect(needs("--dont-sanitise -Q x@y")).toBe("answerMail answerEndOfHeaders");
  expect(needs("--dont-sanitise -L")).toBe("helo answerMail answerEndOfHeaders");
  expect(needsOf(world("").make(), true, false).helo).toBe(true);
});

test("offenders are reported only where there is a blacklist", () => {
  for (const [options, count] of [
    ["", 0],
    ["-k 0", 0],
    ["-k 60", 1],
  ] as const) {
    const { make, sent } = world(options);
    make().blacklist("192.0.2.1", "V");
    expect(sent).toHaveLength(count);
  }
});

test("recipients are asked about one by one, without brackets, up to the first that is no black hole", async () => {
  const asked: string[] = [];
  const { make } = world("--black-hole-mode", async (address) => {
    asked.push(address);
    return address !== "Bob@x";
  });
  expect(await make().leadToNull(["<hole@x>", "<Bob@x>", "<other@x>"])).toBe(false);
  expect(asked).toEqual(["hole@x", "Bob@x"]);
  expect(await make().leadToNull(["<hole@x>"])).toBe(true);
  expect(await make().leadToNull([])).toBe(false);
  const { make: failing } = world("--black-hole-mode", () =>
    Promise.reject(new Error("the keeper does not answer")),
  );
  expect(await failing().leadToNull(["<hole@x>"])).toBe(false);
});
