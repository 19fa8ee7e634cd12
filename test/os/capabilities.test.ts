import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { capabilityNames, describeRights, readRights } from "../../src/os/capabilities.ts";

interface Fields {
  readonly uid?: string;
  readonly gid?: string;
  readonly groups?: string;
  readonly inheritable?: string;
  readonly permitted?: string;
  readonly ambient?: string;
}

const NONE = "0000000000000000";

function status(fields: Fields): string {
  const { uid = "106\t106\t106\t106", gid = "112\t112\t112\t112", groups = "112 " } = fields;
  const { inheritable = NONE, permitted = NONE, ambient = NONE } = fields;
  return [
    "Name:\tclamav-milter",
    ...[`Uid:\t${uid}`, `Gid:\t${gid}`, "FDSize:\t64", `Groups:\t${groups}`],
    ...[`CapInh:\t${inheritable}`, `CapPrm:\t${permitted}`, `CapEff:\t${permitted}`],
    ...["CapBnd:\t000001ffffffffff", `CapAmb:\t${ambient}`, "NoNewPrivs:\t0", ""],
  ].join("\n");
}

describe("the rights of a process, in words", () => {
  test.each<[string, Fields, string]>([
    ["nothing left", {}, "user 106, group 112, no other group, no capabilities"],
    ["no supplementary group", { groups: "" }, "user 106, group 112, no other group, no capabilities"],
    [
      "the right to change the root",
      { permitted: "0000000000040000", ambient: "0000000000040000" },
      "user 106, group 112, no other group, capabilities: CAP_SYS_CHROOT",
    ],
    [
      "some that are inheritable only",
      { inheritable: "0000000000000021" },
      "user 106, group 112, no other group, capabilities: CAP_CHOWN CAP_KILL",
    ],
    [
      "different ids",
      { uid: "106\t0\t106\t0", groups: "4 112 4242" },
      "user 106/0, group 112, other groups 4/4242, no capabilities",
    ],
  ])("%s", (_, fields, expected) => {
    expect(describeRights(status(fields))).toBe(expected);
  });

  test("are read from what this kernel writes", () => {
    const { uids, gids } = readRights(readFileSync("/proc/self/status", "latin1"));
    expect(uids).toEqual(Array(4).fill(process.getuid?.()));
    expect(gids).toEqual(Array(4).fill(process.getgid?.()));
  });

  test("are not guessed when the text is cut", () => {
    const cut = status({}).replace(/^CapPrm.*\n/m, "");
    expect(() => describeRights(cut)).toThrow('has no line "CapPrm"');
  });
});

test("capabilities have the kernel's names, and new ones their number", () => {
  expect(capabilityNames(0n)).toEqual([]);
  const all = capabilityNames((1n << 42n) - 1n);
  expect(all.length).toBe(42);
  expect(all[0]).toBe("CAP_CHOWN");
  expect(all[18]).toBe("CAP_SYS_CHROOT");
  expect(all[21]).toBe("CAP_SYS_ADMIN");
  expect(all[40]).toBe("CAP_CHECKPOINT_RESTORE");
  expect(all[41]).toBe("CAP_41");
});
