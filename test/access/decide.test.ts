import { describe, expect, test } from "bun:test";
import { parseAccessFile, unreadableAccessFile } from "../../src/access/access-file.ts";
import {
  type AccessDecision,
  type AccessExtras,
  type AccessTables,
  accessNeedsName,
  decideAccess,
} from "../../src/access/decide.ts";

const MX = { address: "192.0.2.25", name: "mx.example.org" };

function tables(allow: string, deny = "ALL: ALL\n"): AccessTables {
  return {
    allow: parseAccessFile(allow, "/etc/hosts.allow"),
    deny: parseAccessFile(deny, "/etc/hosts.deny"),
  };
}

function decide(allow: string, extras: AccessExtras = {}, deny = "ALL: ALL\n"): AccessDecision {
  return decideAccess(tables(allow, deny), MX, extras);
}

describe("the order of the tables", () => {
  test("without a rule access is granted, and no rule is named", () => {
    expect(decide("", {}, "")).toEqual({ granted: true, rule: null, warnings: [] });
  });

  test("hosts.allow is asked first, the first match decides and is named with its last line", () => {
    const allow = "# ours\nsshd: 192.0.2.\nclamav-milter: \\\n  .example.org\nALL: ALL: deny\n";
    expect(decide(allow)).toEqual({ granted: true, rule: "/etc/hosts.allow:4", warnings: [] });
  });

  test("hosts.deny denies what hosts.allow says nothing about", () => {
    expect(decide("sshd: ALL\n")).toEqual({ granted: false, rule: "/etc/hosts.deny:1", warnings: [] });
  });

  test.each([
    ["ALL: ALL: deny\n", "", false],
    ["", "ALL: ALL: allow\n", true],
  ])("allow and deny as options win over the file: %j, %j", (allow, deny, granted) => {
    expect(decide(allow, {}, deny).granted).toBe(granted);
  });
});

describe("commands are never run", () => {
  test("spawn is ignored with a warning, the rest of the rule counts", () => {
    const decision = decide("clamav-milter: ALL: spawn (/bin/mail -s %h root) &: allow\n");
    expect(decision.granted).toBe(true);
    expect(decision.warnings).toEqual([
      '/etc/hosts.allow:1: "spawn" is ignored: clamav-milter runs no commands of access rules',
    ]);
  });

  test.each(["twist /bin/echo no", "aclexec /bin/true"])("%s denies with a warning", (option) => {
    const decision = decide(`clamav-milter: ALL: ${option}\n`);
    expect(decision.granted).toBe(false);
    expect(decision.warnings.join()).toContain(`/etc/hosts.allow:1: "${option.split(" ")[0]}" denies`);
  });

  test("a shell command of the classic language is no option, and denies as libwrap does", () => {
    const decision = decide("clamav-milter: ALL: (/usr/bin/logger %h) &\n");
    expect(decision).toEqual({
      granted: false,
      rule: "/etc/hosts.allow:1",
      warnings: ['/etc/hosts.allow:1: there is no option "(/usr/bin/logger": access is denied'],
    });
  });
});

describe("errors", () => {
  test("in rules for other daemons nobody is told", () => {
    const decision = decide("sshd: ALL: nonsense\nin.ftpd: @nowhere\nclamav-milter: ALL\n");
    expect(decision).toEqual({ granted: true, rule: "/etc/hosts.allow:3", warnings: [] });
  });

  test.each([
    ["severity nonsense", 'option "severity" does not take "nonsense"'],
    ["keepalive 1", 'option "keepalive" takes no value'],
    ["linger", 'option "linger" needs a value'],
    ["allow: spawn x", 'option "allow" must be the last of its rule'],
    ["allow:", 'option "allow" must be the last of its rule'],
    ["", "an option is empty"],
  ])("in options deny: %j", (options, sentence) => {
    const decision = decide(`ALL: ALL: ${options}\n`);
    expect(decision.granted).toBe(false);
    expect(decision.warnings).toEqual([`/etc/hosts.allow:1: ${sentence}: access is denied`]);
  });

  test.each([
    "user nobody",
    "user nobody.nogroup",
    "group mail",
    "setenv A B",
    "banners /etc/banners",
    "nice 5",
  ])("%s means nothing to us", (option) => {
    expect(decide(`ALL: ALL: ${option}\n`)).toEqual({
      granted: true,
      rule: "/etc/hosts.allow:1",
      warnings: [],
    });
  });

  test("a hosts.deny whose last rule has no newline denies everybody who gets so far, and says why", () => {
    const decision = decide("", {}, "sshd: ALL\nALL: 198.51.100.1");
    expect(decision.granted).toBe(false);
    expect(decision.rule).toBe("/etc/hosts.deny:2");
    expect(decision.warnings.join()).toContain("no newline at its end");
    expect(decide("ALL: ALL\n", {}, "ALL: ALL").granted).toBe(true);
  });

  test("a hosts.deny that cannot be read denies, a hosts.allow that cannot be read grants nothing", () => {
    const unreadable = (name: string) => unreadableAccessFile(name, "permission denied");
    const nothing = parseAccessFile("", "hosts");
    const denied = decideAccess({ allow: nothing, deny: unreadable("/etc/hosts.deny") }, MX);
    expect(denied.granted).toBe(false);
    expect(denied.warnings).toEqual(["/etc/hosts.deny: cannot be read: permission denied: access is denied"]);
    expect(decideAccess({ allow: unreadable("/etc/hosts.allow"), deny: nothing }, MX).granted).toBe(true);
  });
});

describe("files and netgroups", () => {
  const files = { "/etc/mx": "192.0.2.25\n.example.net", "/etc/none": null, "/etc/loop": "/etc/loop" };

  test.each([
    ["/etc/mx", true],
    ["/etc/none", false],
    ["/etc/loop", false],
    ["ALL EXCEPT /etc/mx", false],
    ["ALL EXCEPT /etc/none", true],
  ])("%s: %p", (clients, granted) => {
    const decision = decide(`ALL: ${clients}\n`, { files });
    expect([decision.granted, decision.warnings]).toEqual([granted, []]);
  });

  test.each([
    [["mx.example.org"], true],
    [["MX.EXAMPLE.ORG"], true],
    [["other.example.org", ""], true],
    [["other.example.org"], false],
    [[], false],
  ])("a netgroup of %j: %p", (hosts, granted) => {
    expect(decide("ALL: @mailers\n", { netgroups: { mailers: hosts } }).granted).toBe(granted);
  });

  test.each([
    ["@mailers", 'the hosts of netgroup "@mailers" are not known'],
    ["ALL EXCEPT @mailers", 'the hosts of netgroup "@mailers" are not known'],
    ["/etc/other", 'the file "/etc/other" cannot be read'],
    ["constructor@/etc/other @__proto__", 'the hosts of netgroup "@__proto__" are not known'],
  ])("what was not handed in denies and is named: %s", (clients, sentence) => {
    expect(decide(`# comment\nALL: ${clients}\n`, {}, "")).toEqual({
      granted: false,
      rule: "/etc/hosts.allow:2",
      warnings: [`/etc/hosts.allow:2: ${sentence}: access is denied`],
    });
  });

  test("what was not handed in is not missed where something else decides", () => {
    expect(decide("ALL: @mailers 192.0.2.0/24\n").granted).toBe(true);
    expect(decide("ALL: @mailers EXCEPT 192.0.2.0/24\n", {}, "").rule).toBeNull();
  });
});

describe("patterns", () => {
  test("the user is never known", () => {
    expect(decide("ALL: root@ALL KNOWN@ALL\n").granted).toBe(false);
    expect(decide("ALL: UNKNOWN@192.0.2.25\n").granted).toBe(true);
  });

  test("daemon@host and ports are about our end of the connexion", () => {
    const server = { address: "192.0.2.1", port: 7357 };
    for (const daemon of ["clamav-milter@192.0.2.", "7357", "7357@192.0.2.1"]) {
      expect(decide(`${daemon}: ALL\n`, { server }).granted).toBe(true);
      expect(decide(`${daemon}: ALL\n`).granted).toBe(false);
    }
  });

  test("an IPv4 peer on an IPv6 socket is an IPv4 peer", () => {
    const peer = { address: "::ffff:192.0.2.25", name: "unknown" };
    expect(decideAccess(tables("ALL: 192.0.2.0/24\n"), peer).granted).toBe(true);
    expect(decideAccess(tables("ALL: [::]/0\n"), peer).granted).toBe(false);
  });

  test("a zone does not matter", () => {
    const peer = { address: "fe80::1%eth0", name: "unknown" };
    for (const pattern of ["[fe80::]/10", "[fe80::1]", "[fe80::1%eth1]"]) {
      expect(decideAccess(tables(`ALL: ${pattern}\n`), peer).granted).toBe(true);
    }
  });

  test("a pattern full of stars takes no time", () => {
    const peer = { address: "192.0.2.1", name: `${"a".repeat(240)}.example` };
    const begin = performance.now();
    expect(decideAccess(tables(`ALL: ${"*a".repeat(100)}*b\n`), peer).granted).toBe(false);
    expect(performance.now() - begin).toBeLessThan(1_000);
  });
});

describe("whether a name is needed", () => {
  const rules = "sshd: .example.org\nclamav-milter: 192.0.2.0/24 [2001:db8::]/32 127. .example.org\n";

  test.each([
    ["192.0.2.25", false],
    ["2001:db8::1", false],
    ["127.0.0.1", false],
    ["203.0.113.1", true],
  ])("%s: %p", (address, needed) => {
    expect(accessNeedsName(tables(rules), address)).toBe(needed);
  });

  test.each(["KNOWN", "UNKNOWN", "LOCAL", "PARANOID", "mx.example.org", "*.org", "ALL EXCEPT .example.org"])(
    "%s wants it",
    (pattern) => expect(accessNeedsName(tables(`ALL: ${pattern}\n`), "192.0.2.25")).toBe(true),
  );

  test.each(["ALL", "root@.example.org", "192.0.2.25 .example.org", "198.51.100."])(
    "%s does not",
    (pattern) => {
      expect(accessNeedsName(tables(`ALL: ${pattern}\n`), "192.0.2.25")).toBe(false);
    },
  );
});

describe("files that name each other", () => {
  const paths = Array.from({ length: 14 }, (_, at) => `/f${at}`);
  const naming = (last: string) =>
    Object.fromEntries(paths.map((path, at) => [path, `${paths.join(" ")} ${at === 13 ? last : ""}`]));

  test("are looked into once each", () => {
    const started = performance.now();
    expect(decide("ALL: /f0\n", { files: naming("other.example") }).granted).toBe(false);
    expect(performance.now() - started).toBeLessThan(1000);
  });

  test("match by what the last of them has, and deny when one cannot be read", () => {
    expect(decide("ALL: /f0\n", { files: naming("192.0.2.25") }).granted).toBe(true);
    expect(decide("ALL: /f0\n", { files: naming("/missing") }, "").granted).toBe(false);
  });
});
