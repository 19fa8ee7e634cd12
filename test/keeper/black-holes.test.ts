import { describe, expect, test } from "bun:test";
import { BlackHoles, type ExpansionRun } from "../../src/keeper/black-holes.ts";

const NULL = "/dev/null... deliverable: mailer *file*, user /dev/null\n";

function asked(expand: (address: string) => Promise<ExpansionRun>) {
  const log: string[] = [];
  const addresses: string[] = [];
  const clock = { now: 0 };
  const edge = {
    expand: (address: string) => {
      addresses.push(address);
      return expand(address);
    },
    now: () => clock.now,
  };
  const holes = new BlackHoles(edge, "/sendmail", (level, text) => void log.push(`${level}: ${text}`));
  return { holes, log, addresses, clock };
}

describe("black holes", () => {
  test("an answer counts for five minutes", async () => {
    const { holes, addresses, clock } = asked(async () => ({ status: 0, output: NULL }));
    expect(await Promise.all([holes.leadsToNull("a@b"), holes.leadsToNull("a@b")])).toEqual([true, true]);
    clock.now = 299_999;
    expect([await holes.leadsToNull("a@b"), addresses.length]).toEqual([true, 1]);
    clock.now = 300_001;
    expect([await holes.leadsToNull("a@b"), addresses.length]).toEqual([true, 2]);
  });

  test.each([
    [{ status: 67, output: NULL }, false],
    [{ status: 0, output: "bob... deliverable: mailer local, user bob\n" }, false],
    [{ status: 0, output: "" }, false],
  ])("%j is none", async (run, expected) => {
    const { holes, log } = asked(async () => run);
    expect([await holes.leadsToNull("a@b"), log.length]).toEqual([expected, 0]);
  });

  test("what fails is none, told once, and asked again soon", async () => {
    let works = false;
    const { holes, log, clock, addresses } = asked(async () => {
      if (!works) throw new Error("has not ended within 10 s");
      return { status: 0, output: NULL };
    });
    expect(await holes.leadsToNull("a@b")).toBe(false);
    expect(await holes.leadsToNull("c@d")).toBe(false);
    const text = "(has not ended within 10 s): mail to it is scanned";
    expect(log).toEqual([
      `warning: Can't execute '/sendmail' to expand 'a@b' ${text}`,
      `verbose: Can't execute '/sendmail' to expand 'c@d' ${text}`,
    ]);
    works = true;
    clock.now = 31_000;
    expect([await holes.leadsToNull("a@b"), addresses.length]).toEqual([true, 3]);
  });

  test("a bad status and a signal are failures", async () => {
    for (const status of [1, 75, null]) {
      const { holes, log } = asked(async () => ({ status, output: NULL }));
      expect([await holes.leadsToNull("a@b"), log.length]).toEqual([false, 1]);
    }
  });

  test("few at a time, and a bound for those that wait", async () => {
    let running = 0;
    let most = 0;
    const { holes, addresses } = asked(async () => {
      most = Math.max(most, ++running);
      await Bun.sleep(1);
      running--;
      return { status: 0, output: NULL };
    });
    const answers = await Promise.all(Array.from({ length: 1000 }, (_, at) => holes.leadsToNull(`a${at}@b`)));
    expect([most, addresses.length, answers.filter((answer) => answer).length]).toEqual([4, 504, 504]);
  });

  test("never asked about what sendmail could take for something else", async () => {
    const { holes, addresses } = asked(async () => ({ status: 0, output: NULL }));
    for (const address of ["-bs", "a,b", "/dev/null", "a\nb", '"x"@y', ""]) {
      expect(await holes.leadsToNull(address)).toBe(false);
    }
    expect(addresses).toEqual([]);
  });
});
