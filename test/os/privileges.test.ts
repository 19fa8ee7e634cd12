import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, readFileSync, readlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { lookUpUser } from "../../src/os/accounts.ts";
import { until } from "../lab/wait.ts";
import { directoriesOf, type Lab, makeLab, PLAN, portOf, rightsOf, startFamily } from "./privileges-lab.ts";
import type { Plan } from "./privileges-plan.ts";

const TIMEOUT = 60_000;
const CAP_SYS_CHROOT = 1n << 18n;
const LISTENER = 3;

let lab: Lab;
const nobody = lookUpUser("nobody");
const uid = nobody?.uid ?? -1;
const gid = nobody?.gid ?? -1;

beforeAll(() => {
  expect(process.getuid?.()).toBe(0);
  lab = makeLab();
}, TIMEOUT);
afterAll(() => lab.remove());

/** Every thread is the user's, with no capability, but what `main` says of the main one. */
function expectUser(pid: number, main = 0n): void {
  const threads = rightsOf(pid);
  expect(threads.length).toBeGreaterThan(1);
  const expected = { uids: Array(4).fill(uid), gids: Array(4).fill(gid), groups: [gid] };
  expect(threads).toEqual(threads.map((_, at) => ({ ...expected, capabilities: at === 0 ? main : 0n })));
}

/** The same of a supervisor with the right, whose new threads lose what they have inherited within moments. */
async function expectSupervisor(pid: number): Promise<void> {
  const [main] = rightsOf(pid);
  expect(main?.capabilities).toBe(CAP_SYS_CHROOT);
  const attempt = (): true => {
    expectUser(pid, CAP_SYS_CHROOT);
    return true;
  };
  await until(attempt, { what: "the right to be on the main thread only", deadline: 10_000 });
}

function setpriv(...options: readonly string[]): readonly string[] {
  return ["setpriv", ...options];
}

const AS_NOBODY = setpriv(`--reuid=${uid}`, `--regid=${gid}`, "--clear-groups");
/** As the supervisor starts a child for the jail. */
const WITH_RIGHT = [...AS_NOBODY, "--inh-caps=+sys_chroot", "--ambient-caps=+sys_chroot"];

async function echo(port: number): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const socket = await Bun.connect({
    hostname: "127.0.0.1",
    port,
    socket: {
      data: (_, data) => resolve(data.toString()),
      close: () => reject(new Error("closed without an answer")),
    },
  });
  socket.write("ping");
  return await promise.finally(() => socket.end());
}

/** Whether this kernel lets a user trace its own processes at all. */
function mayTraceOwn(): boolean {
  const file = "/proc/sys/kernel/yama/ptrace_scope";
  return !existsSync(file) || readFileSync(file, "latin1").trim() === "0";
}

/** A process of the user that has done nothing to protect itself. */
function startVictim(): { readonly pid: number; [Symbol.asyncDispose](): Promise<void> } {
  const victim = Bun.spawn([...AS_NOBODY, "sleep", "1000"], { stdio: ["ignore", "ignore", "inherit"] });
  return {
    pid: victim.pid,
    [Symbol.asyncDispose]: async () => {
      victim.kill("SIGKILL");
      await victim.exited;
    },
  };
}

describe("a supervisor that was root", () => {
  test(
    "keeps the right to place children in the jail on its main thread, and says so",
    async () => {
      await using family = await startFamily(lab, { jail: lab.jail });
      await expectSupervisor(family.supervisor.pid);
      expect(family.supervisor.rights).toBe(
        `user ${uid}, group ${gid}, no other group, capabilities: CAP_SYS_CHROOT`,
      );
    },
    TIMEOUT,
  );

  test(
    "keeps nothing without a jail",
    async () => {
      await using family = await startFamily(lab, { keepChroot: false });
      expectUser(family.supervisor.pid);
      expect(family.supervisor.rights).toBe(`user ${uid}, group ${gid}, no other group, no capabilities`);
      expect(family.children.map((child) => child.before)).toEqual([0]);
    },
    TIMEOUT,
  );

  test.each([true, false])(
    "loses capabilities that the change of the user does not take, right kept: %p",
    async (keepChroot) => {
      const unusual = setpriv("--securebits=+no_setuid_fixup", "--inh-caps=+chown,+kill");
      await using family = await startFamily(lab, { keepChroot }, unusual);
      if (keepChroot) await expectSupervisor(family.supervisor.pid);
      else expectUser(family.supervisor.pid);
      for (const { pid } of family.children) expectUser(pid);
    },
    TIMEOUT,
  );

  test.each([true, false])(
    "has the user's supplementary groups only when told: %p",
    async (supplementaryGroups) => {
      const groups = join(lab.folder, `groups-${supplementaryGroups}`);
      writeFileSync(groups, `root:x:0:\nnogroup:x:${gid}:\nfilters:x:4242:daemon,nobody\n`);
      await using family = await startFamily(lab, { supplementaryGroups }, withGroups(groups));
      const expected = supplementaryGroups ? [4242, gid] : [gid];
      for (const pid of [family.supervisor.pid, ...family.supervisor.children]) {
        for (const { groups: found } of rightsOf(pid)) expect(found).toEqual(expected);
      }
    },
    TIMEOUT,
  );
});

/** Runs a command where /etc/group is another file. */
function withGroups(file: string): readonly string[] {
  const script = 'mount --bind "$1" /etc/group && shift && exec "$@"';
  return ["unshare", "--mount", "sh", "-c", script, "sh", file];
}

describe("a child", () => {
  test.each([false, true])(
    "is in the jail with no right on any thread and no way out, with many threads: %p",
    async (busy) => {
      await using family = await startFamily(lab, { jail: lab.jail, busy });
      for (const { pid, before, threads } of family.children) {
        // Else nothing was shown: the runtime's own threads had the right as well.
        expect(before).toBe(threads);
        expect(before).toBeGreaterThan(busy ? 4 : 1);
        expectUser(pid);
        expect(readlinkSync(`/proc/${pid}/root`)).toBe(lab.jail);
        expect(readlinkSync(`/proc/${pid}/cwd`)).toBe(lab.jail);
        expect(directoriesOf(pid)).toEqual([]);
        expect(readFileSync(`/proc/${pid}/limits`, "latin1")).toMatch(/^Max core file size +0 +0 /m);
      }
    },
    TIMEOUT,
  );

  test(
    "has no right on any thread without a jail either",
    async () => {
      await using family = await startFamily(lab, { busy: true });
      for (const { pid, before } of family.children) {
        expect(before).toBeGreaterThan(4);
        expectUser(pid);
        expect(readlinkSync(`/proc/${pid}/root`)).toBe("/");
      }
    },
    TIMEOUT,
  );

  test(
    "runs compiled code and timers and serves the socket it was given",
    async () => {
      await using family = await startFamily(lab, { jail: lab.jail });
      const [child] = family.children;
      expect(child?.computed).toBe(-616879712);
      expect(await echo(portOf(child?.pid ?? 0, LISTENER))).toBe("ping");
    },
    TIMEOUT,
  );

  test(
    "dies with its supervisor, though its rights have changed",
    async () => {
      await using family = await startFamily(lab, { jail: lab.jail });
      family.kill();
      const [pid = 0] = family.supervisor.children;
      const isGone = () =>
        !existsSync(`/proc/${pid}/stat`) || /\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, "latin1"));
      await until(isGone, { what: "the child to die", deadline: 10_000 });
    },
    TIMEOUT,
  );
});

describe("hostile code in a child", () => {
  test.each([true, false])(
    "becomes neither root nor traces those outside, in the jail: %p",
    async (jailed) => {
      await using victim = startVictim();
      await using family = await startFamily(lab, { jail: jailed ? lab.jail : null, children: 2 });
      const brothers = [family.supervisor.pid, family.supervisor.children[0] ?? 0];
      const found = await family.attack([...brothers, victim.pid]);
      const failed = { traced: false, read: false, opened: false };
      expect(found.root).toBe(false);
      expect(found.chroot).toBe(false);
      expect(found.victims).toEqual([
        ...brothers.map((pid) => ({ pid, ...failed })),
        // What it would be without the protection.
        { pid: victim.pid, traced: mayTraceOwn(), read: mayTraceOwn(), opened: !jailed && mayTraceOwn() },
      ]);
      expect(found.files.length === 0).toBe(jailed);
      // What it tried has changed nothing.
      for (const { pid } of family.children) expectUser(pid);
    },
    TIMEOUT,
  );
});

describe("a process that was started by a user", () => {
  test(
    "has nothing to drop, and drops it",
    async () => {
      await using family = await startFamily(lab, { user: null, keepChroot: false }, AS_NOBODY);
      const [pid = 0] = family.supervisor.children;
      const ids = { uids: Array(4).fill(uid), gids: Array(4).fill(gid), groups: [], capabilities: 0n };
      const threads = rightsOf(pid);
      expect(threads).toEqual(threads.map(() => ids));
      const found = await family.attack([]);
      expect(found).toMatchObject({ root: false, chroot: false });
    },
    TIMEOUT,
  );
});

describe("what must not be is refused", () => {
  test.each<[string, readonly string[], "supervisor" | "child", Partial<Plan>, RegExp]>([
    [
      "a user that is root",
      [],
      "supervisor",
      { user: "root" },
      /^USER_IS_ROOT: user root has the rights of root/,
    ],
    ["a change of the user by a user", AS_NOBODY, "supervisor", {}, /^EPERM: setgroups/],
    ["root that drops its rights", [], "child", { user: null }, /^USER_IS_ROOT: /],
    ["a jail without the right", AS_NOBODY, "child", { user: null, jail: "/" }, /^EPERM: chroot/],
    [
      "a jail that is not there",
      AS_NOBODY,
      "child",
      { user: null, jail: "/no/jail" },
      /^ENOENT: .*\/no\/jail/,
    ],
    [
      "a thread that keeps the right, since no signal reaches it",
      WITH_RIGHT,
      "child",
      { user: null, jail: "/", busy: true, deaf: true },
      /^RIGHTS_REMAIN: .*could not take the capabilities from threads \d+/,
    ],
  ])(
    "%s",
    (_, wrapper, role, plan, message) => {
      const command = [...wrapper, lab.program, role, JSON.stringify({ ...PLAN, ...plan })];
      const done = Bun.spawnSync(command, { cwd: "/", timeout: 20_000, stdin: "ignore" });
      expect(done.stderr.toString()).toMatch(message);
      expect(done.exitCode).toBe(1);
      expect(done.stdout.toString()).toBe("");
    },
    TIMEOUT,
  );
});

test(
  "a group with thousands of members is found",
  () => {
    const file = join(lab.folder, "large-groups");
    const members = Array.from({ length: 20_000 }, (_, at) => `member${at}`).join(",");
    writeFileSync(file, `root:x:0:\nlarge:x:4711:${members}\n`);
    const done = Bun.spawnSync([...withGroups(file), lab.program, "group", "large"], { timeout: 20_000 });
    expect(JSON.parse(done.stdout.toString())).toMatchObject({ name: "large", gid: 4711 });
  },
  TIMEOUT,
);
