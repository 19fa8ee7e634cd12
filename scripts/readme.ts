import { join } from "node:path";
import { README_BEGIN, README_END, readmeTable } from "../src/cli/readme-table.ts";

/** Puts today's option table into README.md: `bun scripts/readme.ts` after a change of the table. */
const path = join(import.meta.dir, "../README.md");
const text = await Bun.file(path).text();
const begin = text.indexOf(README_BEGIN);
const end = text.indexOf(README_END);
if (begin < 0 || end < begin) throw new Error(`README.md lacks ${README_BEGIN} and ${README_END}`);
await Bun.write(path, `${text.slice(0, begin + README_BEGIN.length)}\n${readmeTable()}${text.slice(end)}`);
