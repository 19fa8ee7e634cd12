import { expect, test } from "bun:test";
import { parseOptions, SECTIONS } from "../../scripts/benching/options.ts";

test("without options everything is measured", () => {
  expect(parseOptions([])).toMatchObject({ sections: SECTIONS, rounds: 3, concurrency: [1, 8, 32, 128] });
});

test("options win over --quick, wherever it stands", () => {
  const options = parseOptions(["--sizes=2k,mix", "--rounds", "5", "--quick", "--sections=stub,scan"]);
  expect(options).toMatchObject({ sizes: ["2k", "mix"], rounds: 5, sections: ["scan", "stub"], idle: 2_000 });
});

test("what is not understood is told", () => {
  for (const words of [
    ["--nothing=1"],
    ["2k"],
    ["--sizes=3k"],
    ["--rounds=0"],
    ["--messages=x"],
    ["--json"],
  ]) {
    expect(() => parseOptions(words)).toThrow();
  }
});
