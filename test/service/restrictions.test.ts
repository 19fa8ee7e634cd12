import { afterAll, expect, test } from "bun:test";
import { chmodSync, chownSync, copyFileSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { REPOSITORY } from "../../scripts/debian/parts.ts";
import { BINARY } from "../lab/filter.ts";
import { trustedFolder } from "../lab/folder.ts";
import { type Finished, run } from "../lab/process.ts";

const folder = trustedFolder();
afterAll(() => folder.remove());

/** Shell text that does in a mount namespace what systemd does for a directive of the unit. */
const MOUNTS: Readonly<Record<string, string>> = {
  "ProtectSystem=full": "for each in /usr /etc; do mount --bind -o ro $each $each; done",
  "ProtectHome=yes": "mount -t tmpfs -o mode=0 none /home",
  "ProtectControlGroups=yes": "mount --bind -o ro /sys/fs/cgroup /sys/fs/cgroup",
  "PrivateTmp=yes": "mount -t tmpfs -o mode=1777,nodev none /tmp",
  "UMask=0077": "umask 0077",
  "LimitCORE=0": "ulimit -c 0",
  // A keyring of its own has no bearing on what runs; setpriv below sees to the rest.
  "KeyringMode=private": ":",
  "CapabilityBoundingSet=": ":",
  "User=clamav": ":",
};
/** Directives that restrict nothing. */
const OTHERS =
  /^(Description|Documentation|After|Wants|Before|WantedBy|Type|NotifyAccess|Environment|EnvironmentFile|ExecStart|ExecReload|Timeout\w+|KillMode|WatchdogSec|Restart\w*|RuntimeDirectory\w*|LimitNOFILE)=/;

/** Runs a program under the restrictions of the shipped unit, as a user without rights. */
function restricted(...argv: string[]): Promise<Finished> {
  const unit = readFileSync(join(REPOSITORY, "scripts/service/clamav-milter.service"), "utf8");
  const lines = unit.split("\n").filter((line) => /^[A-Za-z]+=/.test(line) && !OTHERS.test(line));
  const setup = lines.map((line) => {
    const step = MOUNTS[line];
    if (step === undefined) throw new Error(`${line}: this test does not know what it does`);
    return step;
  });
  const drop = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", "--clear-groups", "--regid=65534"];
  const script = ["set -e", ...setup, 'exec "$@"'].join("\n");
  const spaces = ["unshare", "--mount", "--propagation=private", "--", "sh", "-c", script, "unit"];
  return run({ argv: [...spaces, ...drop, "--reuid=65534", "--", ...argv], cwd: "/" });
}

test("the program runs under the restrictions of its unit", async () => {
  // The checkout may be where only root can go.
  const program = join(folder.path, "clamav-milter");
  copyFileSync(BINARY, program);
  expect(await restricted(program, "-V")).toMatchObject({
    exitCode: 0,
    stdout: expect.stringMatching(/^clamav-milter version /),
    stderr: "",
  });
});

test("and so does a set-group-ID program, as sendmail and postdrop are, with its group", async () => {
  const program = join(folder.path, "postdrop");
  copyFileSync("/usr/bin/id", program);
  chownSync(program, 0, 12_345);
  chmodSync(program, 0o2755);
  const { exitCode, stdout } = await restricted(program);
  expect(exitCode).toBe(0);
  expect(stdout).toContain("egid=12345");
  expect((await restricted("cat", "/proc/self/status")).stdout).toMatch(/^NoNewPrivs:\t0$/m);
});
