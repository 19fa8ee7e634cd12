import { describe, expect, test } from "bun:test";
import type { StartError } from "../../src/cli/start-error.ts";
import type { Settings } from "../../src/config/settings.ts";
import { type PolicyCheckEdge, requirePolicy } from "../../src/supervisor/policy-check.ts";

const SENDMAIL = "Version 8.17.1.9\n Compiled with: DNSMAP\n";
const SETTINGS = {
  whitelistFile: null,
  blackHoleMode: true,
  sendmailBin: "/usr/sbin/sendmail",
  sendmailCf: null,
  user: "clamav",
  supplementaryGroups: true,
  configFile: "/etc/clamd.conf",
};

interface Changes {
  readonly settings?: Partial<Settings>;
  readonly version?: string;
  readonly errors?: string;
  readonly status?: number | null;
  readonly files?: Readonly<Record<string, string>>;
  readonly closed?: readonly string[];
}

function edgeOf(changes: Changes, asked: string[]): PolicyCheckEdge {
  const { version = SENDMAIL, errors = "", status = 0, files = {}, closed = [] } = changes;
  return {
    run: async (argv) => {
      asked.push(argv.join(" "));
      if (version === "missing") throw new Error("no such program");
      return argv.includes("-bt")
        ? { status: 0, output: version, errors }
        : { status, output: "", errors: "" };
    },
    read: (path) => {
      const text = files[path];
      if (text === undefined) throw new Error("ENOENT: no such file or directory");
      return text;
    },
    list: (path) => {
      if (closed.includes(path)) throw new Error("EACCES: permission denied");
    },
    expand: (pattern) => (pattern === "/q/d*" ? ["/q/d1", "/q/d2"] : []),
  };
}

async function outcome(changes: Changes, uid = 100): Promise<{ said: string; asked: string[] }> {
  const asked: string[] = [];
  const settings = { ...SETTINGS, ...changes.settings } as unknown as Settings;
  try {
    await requirePolicy(settings, uid, edgeOf(changes, asked));
    return { said: "", asked };
  } catch (error) {
    const { exitCode, message } = error as StartError;
    return { said: `${exitCode} ${message}`, asked };
  }
}

describe("black-hole mode", () => {
  test("starts with Sendmail's own program, a trusted user and a queue that it can read", async () => {
    const { said, asked } = await outcome({});
    expect([said, asked]).toEqual(["", ["/usr/sbin/sendmail -d0.1 -bt", "/usr/sbin/sendmail -bv -- root"]]);
    expect((await outcome({ status: 67 })).said).toBe("");
  });

  test("without it nothing is asked", async () => {
    expect(await outcome({ settings: { blackHoleMode: false } })).toEqual({ said: "", asked: [] });
  });

  test.each<[string, Changes, string]>([
    [
      "another program",
      { version: "", errors: "sendmail: invalid option -- 'd'\nmore" },
      `/usr/sbin/sendmail is not Sendmail's: it says "sendmail: invalid option -- 'd'"`,
    ],
    ["no program", { version: "missing" }, "cannot ask sendmail: no such program"],
    [
      "an untrusted user",
      { status: 77 },
      "sendmail does not trust this user (sendmail -bv ended with status 77)",
    ],
    ["one that was killed", { status: null }, "status unknown"],
    [
      "no supplementary groups",
      { settings: { supplementaryGroups: false } },
      "needs AllowSupplementaryGroups yes in /etc/clamd.conf",
    ],
    [
      "a closed queue",
      { closed: ["/var/spool/mqueue"] },
      "this user cannot read the mail queue /var/spool/mqueue: EACCES: permission denied",
    ],
    [
      "a closed queue elsewhere",
      { files: { "/etc/mail/sendmail.cf": "O QueueDirectory=/q/here\n" }, closed: ["/q/here"] },
      "cannot read the mail queue /q/here",
    ],
    [
      "one of several queues closed",
      {
        settings: { sendmailCf: "/my.cf" },
        files: { "/my.cf": "#x\nO QueueDirectory=/q/d*\n" },
        closed: ["/q/d2"],
      },
      "cannot read the mail queue /q/d2",
    ],
  ])("does not start with %s", async (_what, changes, complaint) => {
    const { said } = await outcome(changes);
    expect(said).toStartWith("78 --black-hole-mode: ");
    expect(said).toContain(complaint);
  });

  test("another program is never asked with -bv: Postfix's would send a mail", async () => {
    expect((await outcome({ version: "" })).asked).toEqual(["/usr/sbin/sendmail -d0.1 -bt"]);
  });

  test("root needs no groups, and no right to the queue", async () => {
    const settings = { user: null, supplementaryGroups: false };
    expect((await outcome({ settings, closed: ["/var/spool/mqueue"] }, 0)).said).toBe("");
  });
});

test("a whitelist that the program's user cannot read is an error", async () => {
  const { said } = await outcome({ settings: { blackHoleMode: false, whitelistFile: "/list" } });
  expect(said).toBe("78 --whitelist-file: cannot read /list: ENOENT: no such file or directory");
  const files = { "/list": "x".repeat(2_097_153) };
  const long = await outcome({ settings: { blackHoleMode: false, whitelistFile: "/list" }, files });
  expect(long.said).toBe("78 --whitelist-file: cannot read /list: more than 2 MB");
});
