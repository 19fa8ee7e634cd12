import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { cachedPart, partCommand } from "../../scripts/debian/parts.ts";
import { plainFolder } from "./folder.ts";
import { run } from "./process.ts";
import { DEFAULT_DEADLINE } from "./wait.ts";

export interface MiltertestOptions {
  /** Lua text, or the absolute path of a file ending in `.lua`. The filter runs already: `mt.connect(socket)`. */
  readonly script: string;
  /** Global variables of the script, all of them strings. */
  readonly variables?: Readonly<Record<string, string>>;
  /** Milliseconds; 20,000 unless told. */
  readonly deadline?: number;
}

export interface MiltertestResult {
  /** 0 when the script ran to its end without `error()`; otherwise the output tells the error and its line. */
  readonly exitCode: number;
  readonly output: string;
}

/** Left alone, miltertest ends with code 1 and not a word when a script fails. */
const TELL_ERRORS = `local ok, why = xpcall(function() dofile(lab_script) end, debug.traceback)
if not ok then
  mt.echo(why)
  error(why)
end
`;

/**
 * Runs a script of Debian's miltertest, a mail server's side of the milter protocol made of libmilter's own
 * constants.
 * @throws code `PARTS_MISSING`, `CHILD_DEADLINE`
 */
export async function runMiltertest(options: MiltertestOptions): Promise<MiltertestResult> {
  const { script, variables = {}, deadline = DEFAULT_DEADLINE } = options;
  const folder = plainFolder();
  try {
    const isPath = script.startsWith("/") && script.endsWith(".lua");
    const path = isPath ? script : join(folder.path, "script.lua");
    if (!isPath) writeFileSync(path, script);
    const wrapper = join(folder.path, "wrapper.lua");
    writeFileSync(wrapper, TELL_ERRORS);
    const definitions = Object.entries(variables).flatMap(([name, value]) => ["-D", `${name}=${value}`]);
    const args = [...definitions, "-D", `lab_script=${path}`, "-s", wrapper];
    const argv = partCommand(cachedPart("miltertest"), "usr/bin/miltertest", args);
    const { exitCode, stdout, stderr } = await run({ argv, deadline });
    return { exitCode, output: stdout + stderr };
  } finally {
    folder.remove();
  }
}
