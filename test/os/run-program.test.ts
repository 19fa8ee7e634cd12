import { expect, test } from "bun:test";
import { runProgram } from "../../src/os/run-program.ts";

test("a program gets words, no shell, nothing to read and a fixed environment", async () => {
  const end = await runProgram(
    ["/bin/sh", "-c", 'cat; echo "$1|$HOME|$LC_ALL"; echo bad >&2; exit 7', "sh", "; $(id)"],
    5000,
  );
  expect(end).toEqual({ status: 7, output: "; $(id)||C\n", errors: "bad\n" });
});

test("its output has a bound, and its time", async () => {
  const { output, status } = await runProgram(["/bin/sh", "-c", "head -c 1000000 /dev/zero"], 5000, 1000);
  expect([output.length, status]).toEqual([1000, 0]);
  const begun = performance.now();
  await expect(runProgram(["/bin/sleep", "60"], 100)).rejects.toThrow(
    "/bin/sleep has not ended within 0.1 s",
  );
  // A child of it that holds the pipe does not hold us.
  await expect(runProgram(["/bin/sh", "-c", "sleep 3 & exit 0"], 200)).rejects.toThrow("has not ended");
  expect(performance.now() - begun).toBeLessThan(2500);
});

test("one that is not there, and one that is killed", async () => {
  await expect(runProgram(["/no/such/program"], 1000)).rejects.toThrow("/no/such/program");
  expect(await runProgram(["/bin/sh", "-c", "kill -9 $$"], 5000)).toMatchObject({ status: null });
});
