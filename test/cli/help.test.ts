import { expect, test } from "bun:test";
import { helpText } from "../../src/cli/help.ts";
import { longForm } from "../../src/cli/option-spec.ts";
import { OPTIONS } from "../../src/cli/options.ts";

const LINES = helpText().split("\n");
const TEXT = helpText().replace(/\s+/g, " ");

test("help fits into 80 columns and ends with a line end", () => {
  for (const line of LINES) expect(line.length).toBeLessThanOrEqual(80);
  for (const line of LINES) expect(line).not.toMatch(/\s$/);
  expect(helpText()).toMatch(/[^\n]\n$/);
});

test.each(OPTIONS.map((option) => [option.long, option] as const))("help shows --%s", (_, option) => {
  const letter = option.short === "" ? "      " : `  -${option.short}, `;
  expect(LINES.some((line) => line.startsWith(`${letter}${longForm(option)}`))).toBeTrue();
  expect(TEXT).toContain(`${longForm(option)} ${option.help}`);
  if (option.default !== "") expect(TEXT).toContain(`${option.help} (default: ${option.default})`);
});

test("letters that were never documented stay out of it", () => {
  for (const letter of "wz012") expect(helpText()).not.toContain(` -${letter}, `);
});
