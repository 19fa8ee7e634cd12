/** One process that fuzzes one target: arguments are target, seed, executions, milliseconds, and the progress file. */
import { corpusOf } from "./corpus.ts";
import { hunt } from "./hunt.ts";
import { progressTeller } from "./progress.ts";
import { targetNamed } from "./targets.ts";

const [name = "", seed, executions, time, progress = ""] = process.argv.slice(2);
const target = targetNamed(name);
if (target === null) throw new Error(`there is no target ${name}`);
const result = await hunt(target, {
  seed: Number(seed),
  executions: Number(executions),
  time: Number(time),
  corpus: corpusOf(name).map(({ input }) => input),
  onStart: progressTeller(progress),
});
const findings = result.findings.map((finding) => ({
  ...finding,
  input: Buffer.from(finding.input).toString("base64"),
}));
const { maxRSS } = process.resourceUsage();
process.stdout.write(JSON.stringify({ ...result, findings, megabytes: Math.round(maxRSS / 1024) }));
