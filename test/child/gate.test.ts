import { expect, test } from "bun:test";
import { parseAccessFile } from "../../src/access/access-file.ts";
import { Gate } from "../../src/child/gate.ts";
import type { AccessState } from "../../src/ipc/messages.ts";

interface GateLab {
  readonly gate: Gate;
  readonly log: string[];
  readonly asked: string[];
  wanted: number;
}

function gateLab(names: Readonly<Record<string, string>> = {}, patience = 5000): GateLab {
  const log: string[] = [];
  const asked: string[] = [];
  const lab: GateLab = { gate: gateOf(), log, asked, wanted: 0 };
  return lab;

  function gateOf(): Gate {
    return new Gate(
      {
        wantTables: () => {
          lab.wanted++;
        },
        nameOf: (address) => {
          asked.push(address);
          const name = names[address];
          return name === undefined ? Promise.reject(new Error("no keeper")) : Promise.resolve(name);
        },
        log: (level, text) => void log.push(`${level}: ${text}`),
      },
      patience,
    );
  }
}

function tables(allow: string, deny: string): AccessState {
  return {
    tables: {
      allow: parseAccessFile(allow, "/etc/hosts.allow"),
      deny: parseAccessFile(deny, "/etc/hosts.deny"),
    },
    files: {},
    netgroups: {},
  };
}

function from(remoteAddress: string, localPort = 7357) {
  return { remoteAddress, localAddress: "192.0.2.1", localPort };
}

test("without rules everybody may, at once, and nobody is asked", () => {
  const lab = gateLab();
  lab.gate.take(tables("", ""));
  expect(lab.gate.admits(from("192.0.2.7"))).toBe(true);
  expect([lab.asked, lab.log, lab.wanted]).toEqual([[], [], 0]);
});

test("rules for addresses are decided at once; who is denied is named with file and line", () => {
  const lab = gateLab();
  lab.gate.take(tables("clamav-milter: 192.0.2.7 [2001:db8::]/32\n", "# all\nALL: ALL\n"));
  expect(lab.gate.admits(from("192.0.2.7"))).toBe(true);
  expect(lab.gate.admits(from("::ffff:192.0.2.7"))).toBe(true);
  expect(lab.gate.admits(from("2001:db8::5"))).toBe(true);
  expect(lab.log).toEqual([]);
  expect(lab.gate.admits(from("::ffff:192.0.2.8"))).toBe(false);
  expect(lab.log).toEqual(["warning: access denied for [192.0.2.8] by /etc/hosts.deny:2"]);
  expect(lab.asked).toEqual([]);
});

test("rules for other daemons are not for us; one for our port or address is", () => {
  const lab = gateLab();
  lab.gate.take(tables("", "sshd: ALL\n25: ALL\nclamav-milter@192.0.2.9: ALL\n"));
  expect(lab.gate.admits(from("192.0.2.7"))).toBe(true);
  expect(lab.gate.admits(from("192.0.2.7", 25))).toBe(false);
  expect(lab.gate.admits({ ...from("192.0.2.7"), localAddress: "192.0.2.9" })).toBe(false);
  expect(lab.asked).toEqual([]);
});

test("a name is asked for where a rule needs it, without mapping and zone", async () => {
  const lab = gateLab({ "192.0.2.7": "mx.example.org", "192.0.2.8": "unknown", "fe80::1": "paranoid" });
  lab.gate.take(tables("clamav-milter: .example.org\n", "clamav-milter: ALL\n"));
  expect(await lab.gate.admits(from("::ffff:192.0.2.7"))).toBe(true);
  expect(await lab.gate.admits(from("192.0.2.8"))).toBe(false);
  expect(await lab.gate.admits(from("fe80::1%eth0"))).toBe(false);
  expect(lab.asked).toEqual(["192.0.2.7", "192.0.2.8", "fe80::1"]);
  expect(lab.log).toEqual([
    "warning: access denied for unknown[192.0.2.8] by /etc/hosts.deny:1",
    "warning: access denied for paranoid[fe80::1%eth0] by /etc/hosts.deny:1",
  ]);
});

test("a name that cannot be asked for denies", async () => {
  const lab = gateLab();
  lab.gate.take(tables("", "clamav-milter: .example.org\n"));
  expect(await lab.gate.admits(from("192.0.2.7"))).toBe(false);
  expect(lab.log).toEqual([
    "warning: access denied for [192.0.2.7]: its name cannot be looked up: no keeper",
  ]);
});

test("who comes before the tables waits for them", async () => {
  const lab = gateLab();
  const [first, second] = [lab.gate.admits(from("192.0.2.7")), lab.gate.admits(from("192.0.2.8"))];
  expect(lab.wanted).toBe(2);
  lab.gate.take(tables("", "ALL: 192.0.2.8\n"));
  expect([await first, await second]).toEqual([true, false]);
});

test("but not for ever", async () => {
  const lab = gateLab({}, 10);
  expect(await lab.gate.admits(from("192.0.2.7"))).toBe(false);
  expect(lab.log[0]).toContain("access denied for [192.0.2.7]");
});

test("new tables count from then on", () => {
  const lab = gateLab();
  lab.gate.take(tables("", "ALL: ALL\n"));
  expect(lab.gate.admits(from("192.0.2.7"))).toBe(false);
  lab.gate.take(tables("", ""));
  expect(lab.gate.admits(from("192.0.2.7"))).toBe(true);
});
