import { describe, expect, test } from "bun:test";
import { lookUpGroup, lookUpUser } from "../../src/os/accounts.ts";

function database(name: "passwd" | "group"): readonly (readonly string[])[] {
  const done = Bun.spawnSync(["getent", name], { timeout: 20_000 });
  return done.stdout
    .toString()
    .trim()
    .split("\n")
    .map((line) => line.split(":"));
}

describe("a user", () => {
  test("is found as the host's own tools find it, for every user of the host", () => {
    const users = database("passwd");
    expect(users.length).toBeGreaterThan(2);
    for (const [name = "", , uid, gid] of users) {
      expect(lookUpUser(name)).toEqual({ name, uid: Number(uid), gid: Number(gid) });
    }
  });

  test.each(["no-such-user", "", "0", "root:", "root\0", "röot", "r".repeat(10_000)])(
    "%j is none",
    (name) => {
      expect(lookUpUser(name)).toBeNull();
    },
  );
});

describe("a group", () => {
  test("is found as the host's own tools find it, for every group of the host", () => {
    const groups = database("group");
    expect(groups.length).toBeGreaterThan(2);
    for (const [name = "", , gid] of groups) expect(lookUpGroup(name)).toEqual({ name, gid: Number(gid) });
  });

  test.each(["no-such-group", "", "0", "root\0x"])("%j is none", (name) => {
    expect(lookUpGroup(name)).toBeNull();
  });
});
