import { manPage } from "../src/cli/man-page.ts";

/** Writes the manual page to standard output: `bun scripts/man-page.ts VERSION`. */
const [version] = process.argv.slice(2);
if (version === undefined) throw new Error("usage: man-page.ts VERSION");
process.stdout.write(manPage(version));
